#!lua flags=allow-oom
-- Takes a lock that is free and for which nobody waits.
-- KEYS lock   ARGV token, ttl ms
-- The lock is a hash: holder (a token), until (ms; past is free), fence (the last), line (1 when somebody may wait),
-- kept
-- (ms until which the key stays). Returns the fence; else, in an array, 1 when the lock is free but others may wait for
-- it, 0
-- when it is held.
local lock_key = KEYS[1]
local state = redis.call('HMGET', lock_key, 'holder', 'until', 'fence', 'line', 'kept')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if state[1] and tonumber(state[2]) > now then
  -- The holder's own token is a request that was sent twice.
  if state[1] ~= ARGV[1] then
    return { 0 }
  end
elseif state[4] then
  return { 1 }
end
--- include shared/take.lua
return take(ARGV[1], ARGV[2])
