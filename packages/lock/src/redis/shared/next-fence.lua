-- The next fence of the key: one more than the last, and at least the microseconds since the epoch, so that it grows
-- also when the count was lost. Needs fence_key.
local function next_fence(now)
  local last = redis.call('GET', fence_key)
  local fence = now[1] * 1000000 + now[2]
  if last and fence <= tonumber(last) then
    fence = tonumber(last) + 1
  end
  -- Lua prints a number of this size in exponent form unless told otherwise.
  local text = string.format('%.0f', fence)
  redis.call('SET', fence_key, text, 'EX', 86400)
  return text
end
