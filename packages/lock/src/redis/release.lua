#!lua flags=allow-oom
-- Gives a lock back, handing it to the next in line; or leaves the line.
-- KEYS lock, line, alive   ARGV token
-- Returns 1 when the token held the lock, else 0.
local lock_key, token = KEYS[1], ARGV[1]
local holder = redis.call('HMGET', lock_key, 'holder', 'line')
if holder[1] == token and not holder[2] then
  redis.call('HDEL', lock_key, 'holder', 'until')
  return 1
end
local line_key, alive_key = KEYS[2], KEYS[3]
if holder[1] ~= token then
  redis.call('ZREM', line_key, token)
  redis.call('HDEL', alive_key, token)
  return 0
end
local state = redis.call('HMGET', lock_key, 'holder', 'until', 'fence', 'line', 'kept')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--- include shared/take.lua
--- include shared/hand-over.lua
if not hand_over(false) then
  redis.call('HDEL', lock_key, 'holder', 'until')
end
return 1
