#!lua flags=allow-oom
-- Joins the line for a lock, shows a sign of life in it, and takes the lock when it is its turn.
-- KEYS lock, line, alive   ARGV token, ttl ms, grace ms (0: does not join), channel on which to tell that it was served
-- Returns the fence when the lock is held; else, in an array, the milliseconds after which it may have ended by itself
-- (-1 when others come first).
local lock_key, line_key, alive_key = KEYS[1], KEYS[2], KEYS[3]
local token, ttl, grace, channel = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local state = redis.call('HMGET', lock_key, 'holder', 'until', 'fence', 'line', 'kept')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--- include shared/take.lua
--- include shared/hand-over.lua
if not state[1] or tonumber(state[2]) <= now then
  local first = hand_over(token)
  if not first or first == token then
    return take(token, ttl)
  end
elseif state[1] == token then
  -- The message that it was served has not arrived yet.
  return take(token, ttl)
end
if grace == '0' then
  return { -1 }
end
if not redis.call('ZSCORE', line_key, token) then
  local order = time[1] * 1000000 + time[2]
  local last = redis.call('ZREVRANGE', line_key, 0, 0, 'WITHSCORES')[2]
  if last and order <= tonumber(last) then
    order = tonumber(last) + 1
  end
  redis.call('ZADD', line_key, order, token)
end
redis.call('HSET', lock_key, 'line', '1')
redis.call('HSET', alive_key, token, string.format('%.0f %s %s', now + grace, grace, channel))
-- The longest grace is shorter: when these end, everyone in line is gone.
redis.call('PEXPIRE', line_key, 60000)
redis.call('PEXPIRE', alive_key, 60000)
if redis.call('ZRANK', line_key, token) > 0 then
  return { -1 }
end
return { state[2] - now }
