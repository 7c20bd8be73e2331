-- Raises the count of fences to the last that a store accepted.
-- KEYS fence   ARGV last fence
local last = redis.call('GET', KEYS[1])
if not last or tonumber(last) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', 86400)
end
return 1
