#!lua flags=allow-oom
-- Puts a member into a set of one: what makes a blocking call return. KEYS the set; ARGV member, ms (0: stays)
redis.call('ZADD', KEYS[1], '0', ARGV[1])
if ARGV[2] ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
