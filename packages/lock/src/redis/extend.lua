-- Renews a lock that the token still holds; one that ended is not taken again.
-- KEYS lock, fence   ARGV token, ttl ms
-- Returns 1 when renewed, else 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], 86400)
return 1
