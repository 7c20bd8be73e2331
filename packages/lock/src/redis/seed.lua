#!lua flags=allow-oom
-- Raises the last fence of a lock to the last that a store accepted.
-- KEYS lock   ARGV last fence
local last = redis.call('HGET', KEYS[1], 'fence')
if not last or tonumber(last) < tonumber(ARGV[1]) then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'kept', time[1] * 1000 + 86400000)
  redis.call('PEXPIRE', KEYS[1], 86400000)
end
return 1
