-- Gives the free lock to the first in line that has shown a sign of life within its grace, and tells it; whoever has
-- not
-- is dropped. What is given is held for that grace only: a waiter that died meanwhile never confirms it.
-- Returns the token of the new holder, or false when nobody is in line. `present` is a token known to be alive; it is
-- returned without being given anything. Needs line_key, alive_key, and what `take` needs.
local function hand_over(present)
  while true do
    local token = redis.call('ZPOPMIN', line_key)[1]
    if not token then
      redis.call('HDEL', lock_key, 'line')
      return false
    end
    local sign = redis.call('HGET', alive_key, token)
    redis.call('HDEL', alive_key, token)
    if token == present then
      return token
    end
    local until_ms, grace, channel = string.match(sign or '', '^(%d+) (%d+) (.*)$')
    if until_ms and tonumber(until_ms) > now then
      local fence = take(token, grace)
      redis.call('PUBLISH', channel, token .. ' ' .. string.format('%.0f', fence))
      return token
    end
  end
end
