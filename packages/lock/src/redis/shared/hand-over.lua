-- Gives the free lock to the first in line that has shown a sign of life within its grace, and tells it; whoever has not
-- is dropped. What is given is held for that grace only: a waiter that died meanwhile never confirms it.
-- Returns the token of the new holder, or false when nobody is in line. `present` is a token known to be alive; it is
-- returned without being given anything.
local function hand_over(now, channel_prefix, present)
  local now_ms = now[1] * 1000 + now[2] / 1000
  while true do
    local token = redis.call('ZPOPMIN', line_key)[1]
    if not token then
      return false
    end
    local sign = redis.call('HGET', alive_key, token)
    redis.call('HDEL', alive_key, token)
    if token == present then
      return token
    end
    local until_ms, grace = string.match(sign or '', '^(%d+) (%d+)$')
    if until_ms and tonumber(until_ms) > now_ms then
      redis.call('SET', lock_key, token, 'PX', grace)
      local fence = next_fence(now)
      redis.call('PUBLISH', channel_prefix .. string.match(token, '^[^:]*'), token .. ' ' .. fence)
      return token
    end
  end
end
