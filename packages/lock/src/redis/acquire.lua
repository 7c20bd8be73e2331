-- Takes a lock, or joins the line for it.
-- KEYS lock, fence, line, alive   ARGV token, ttl ms, join the line (1 or 0), grace ms, channel prefix
-- Returns the fence as a string when the lock is held; else, as an integer, the milliseconds after which the lock may
-- have ended by itself (-1 when others come first).
local lock_key, fence_key, line_key, alive_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local token, ttl = ARGV[1], ARGV[2]
--- include shared/next-fence.lua
if redis.call('EXISTS', line_key) == 0 and redis.call('SET', lock_key, token, 'NX', 'PX', ttl) then
  return next_fence(redis.call('TIME'))
end
--- include shared/hand-over.lua
local now = redis.call('TIME')
local holder = redis.call('GET', lock_key)
-- A request that was sent twice, or a waiter that missed the message that it was served.
if holder == token then
  redis.call('PEXPIRE', lock_key, ttl)
  return next_fence(now)
end
if not holder then
  local first = hand_over(now, ARGV[5], token)
  if not first or first == token then
    redis.call('SET', lock_key, token, 'PX', ttl)
    return next_fence(now)
  end
end
if ARGV[3] == '1' then
  if not redis.call('ZSCORE', line_key, token) then
    local order = now[1] * 1000000 + now[2]
    local last = redis.call('ZREVRANGE', line_key, 0, 0, 'WITHSCORES')[2]
    if last and order <= tonumber(last) then
      order = tonumber(last) + 1
    end
    redis.call('ZADD', line_key, string.format('%.0f', order), token)
  end
  redis.call('HSET', alive_key, token, string.format('%.0f %s', now[1] * 1000 + now[2] / 1000 + ARGV[4], ARGV[4]))
  -- The longest grace is shorter: when these end, everyone in line is gone.
  redis.call('PEXPIRE', line_key, 60000)
  redis.call('PEXPIRE', alive_key, 60000)
  if redis.call('ZRANK', line_key, token) > 0 then
    return -1
  end
end
return redis.call('PTTL', lock_key)
