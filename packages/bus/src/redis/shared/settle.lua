-- The end of a lease. `at` is where the settle's own arguments begin in ARGV, after kind, conversation and fence.
-- Returns the result and where the next settle begins.
local function park_letter(space, c, cause, attempts, signature)
  local body = redis.call('LINDEX', space.q .. c.key, 0)
  return redis.call('XADD', root .. 'parked', '*', 'space', space.name, 'conv', c.key, 'body', body, 'cause', cause, 'attempts', attempts, 'sig', signature, 'at', whole(now))
end
-- Whether a message that interrupts came before its holder listened. A payload that reads like one makes the holder
-- look, no more.
local function one_interrupts(space, c)
  for _, body in ipairs(redis.call('LRANGE', space.q .. c.key, c.leased, c.leased + 63)) do
    if string.find(body, '"interrupt":true', 1, true) then
      return true
    end
  end
  return false
end
local function settle_one(space, kind, conv, fence, at, window, max_dead)
  local c = load_conv(space, conv)
  local held = fence > 0 and c.fence == fence
  if held and kind ~= 'watch' then
    -- Its holder answered: it does not end processes.
    c.crashes = 0
  end
  if kind == 'ack' then
    local acked, replies = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
    local after = at + 2 + replies * 7
    if not held then
      return -1, after
    end
    acked = math.min(acked, c.leased)
    local q = space.q .. conv
    if acked == 1 then
      redis.call('LPOP', q)
    elseif acked > 1 then
      redis.call('LTRIM', q, whole(acked), '-1')
    end
    removed(space, c, acked, has(c.flags, GRANTED) and acked - 1 or acked)
    end_lease(space, c)
    local limits = { backlog = 0, drop = false, window = window, max_dead = max_dead }
    for i = at + 2, after - 1, 7 do
      publish_one(space_of(ARGV[i]), ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], tonumber(ARGV[i + 5]), tonumber(ARGV[i + 6]), limits)
    end
    make_ready(space, c, redis.call('LLEN', q))
    return 0, after
  elseif kind == 'retry' then
    if held then
      fail_lease(space, c)
      go_on(space, c, tonumber(ARGV[at]))
    end
    return held and 0 or -1, at + 1
  elseif kind == 'release' then
    if held then
      local granted = has(c.flags, GRANTED)
      if granted then
        redis.call('LPOP', space.q .. conv)
      else
        c.attempts = c.attempts - 1
      end
      end_lease(space, c)
      local length = redis.call('LLEN', space.q .. conv)
      if length == 0 or tonumber(ARGV[at]) == 0 then
        make_ready(space, c, length)
      else
        set_due(space, c, now + tonumber(ARGV[at]))
      end
    end
    return held and 0 or -1, at + 1
  elseif kind == 'dead' then
    if held then
      if ARGV[at + 3] == '1' then
        c.redeliveries = math.max(c.redeliveries, c.leased)
      end
      local body = redis.call('LPOP', space.q .. conv)
      dead_letter(space, conv, body, ARGV[at], ARGV[at + 1], ARGV[at + 2], max_dead)
      removed(space, c, 1, 1)
      end_lease(space, c)
      make_ready(space, c, redis.call('LLEN', space.q .. conv))
    end
    return held and 0 or -1, at + 4
  elseif kind == 'park' then
    if held then
      c.parked = park_letter(space, c, ARGV[at], ARGV[at + 1], ARGV[at + 2])
      fail_lease(space, c)
      set_due(space, c, math.huge)
    end
    return held and 0 or -1, at + 3
  end
  -- watch
  if not held then
    return -1, at
  end
  if not has(c.flags, WATCHED) then
    c.flags = c.flags + WATCHED
    touch(space, c)
  end
  redis.call('HSET', space.mo, conv, c.holder)
  if c.redeliveries > c.leased then
    return 0, at
  end
  local waiting = redis.call('LLEN', space.q .. conv) - c.leased
  if waiting > 0 and one_interrupts(space, c) then
    notify(c.holder, space, conv, true)
  end
  return waiting, at
end
