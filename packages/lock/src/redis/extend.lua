#!lua flags=allow-oom
-- Renews a lock that the token still holds; one that ended is not taken again.
-- KEYS lock   ARGV token, ttl ms
-- Returns 1 when renewed, else 0.
local state = redis.call('HMGET', KEYS[1], 'holder', 'until')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if state[1] ~= ARGV[1] or tonumber(state[2]) <= now then
  return 0
end
redis.call('HSET', KEYS[1], 'until', now + ARGV[2], 'kept', now + 86400000)
redis.call('PEXPIRE', KEYS[1], 86400000)
return 1
