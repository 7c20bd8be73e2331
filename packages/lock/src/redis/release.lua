-- Gives a lock back, handing it to the next in line; or leaves the line.
-- KEYS lock, fence, line, alive   ARGV token, may be in line (1 or 0), channel prefix
-- Returns 1 when the token held the lock, else 0.
local lock_key, fence_key, line_key, alive_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('GET', lock_key) == ARGV[1] then
  redis.call('DEL', lock_key)
  if redis.call('EXISTS', line_key) == 0 then
    return 1
  end
  --- include shared/next-fence.lua
  --- include shared/hand-over.lua
  hand_over(redis.call('TIME'), ARGV[3], false)
  return 1
end
if ARGV[2] == '1' then
  redis.call('ZREM', line_key, ARGV[1])
  redis.call('HDEL', alive_key, ARGV[1])
end
return 0
