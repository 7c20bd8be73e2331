-- Gives the lock to a token for some milliseconds, with the next fence: one more than the last, and at least the
-- microseconds since the epoch, so that it grows also when the count was lost. The key stays for a day after its last
-- use;
-- that is set anew once an hour at most, as it costs about as much as the rest.
-- Needs lock_key, state {holder, until, fence, line, kept}, time {s, µs}, now (ms). Returns the fence.
local function take(token, ms)
  local fence = time[1] * 1000000 + time[2]
  local last = tonumber(state[3] or '0')
  if fence <= last then
    fence = last + 1
  end
  -- Printed as integers: Redis would print a Lua number as a double, which takes longer.
  local text = string.format('%d', fence)
  state[1], state[2], state[3] = token, string.format('%d', now + ms), text
  if state[5] and tonumber(state[5]) > now + 82800000 then
    redis.call('HSET', lock_key, 'holder', token, 'until', state[2], 'fence', text)
  else
    state[5] = now + 86400000
    redis.call('HSET', lock_key, 'holder', token, 'until', state[2], 'fence', text, 'kept', state[5])
    redis.call('PEXPIRE', lock_key, 86400000)
  end
  return fence
end
