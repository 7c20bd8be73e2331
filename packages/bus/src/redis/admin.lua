-- What an operator does. ARGV[3] says what; the rest depends on it.
--- include shared/base.lua
--- include shared/ready.lua
--- include shared/append.lua
--- include shared/lease.lua
local what = ARGV[3]
if what == 'unschedule' then
  -- ARGV[4..] conversation, id, duplicate digest, window ms. Returns 1 when there was one.
  local space = space_of(ARGV[2])
  local key = ARGV[4] .. '\n' .. ARGV[5]
  redis.call('ZREM', space.due, 's' .. key)
  local found = redis.call('HDEL', space.p .. 'sb', key)
  if found == 1 then
    local generation = math.floor(now / tonumber(ARGV[7]))
    for g = generation - 1, generation do
      redis.call('HDEL', root .. 'd' .. g .. ':' .. string.sub(ARGV[6], 1, 2), string.sub(ARGV[6], 3))
    end
  end
  return found
elseif what == 'seed' then
  -- ARGV[4] the last fence that a store accepted.
  local last = tonumber(redis.call('GET', root .. 'f') or '0')
  if tonumber(ARGV[4]) > last then
    redis.call('SET', root .. 'f', ARGV[4])
  end
  return 1
elseif what == 'scheduled' then
  -- ARGV[4..] a position in due, page size. Returns { next position or -1, time, envelope, time, envelope, … }
  local space = space_of(ARGV[2])
  local from, size = tonumber(ARGV[4]), tonumber(ARGV[5])
  local members = redis.call('ZRANGE', space.due, from, from + size - 1, 'WITHSCORES')
  local found = { #members < size * 2 and -1 or from + size }
  for i = 1, #members, 2 do
    if string.sub(members[i], 1, 1) == 's' then
      local stored = redis.call('HGET', space.p .. 'sb', string.sub(members[i], 2))
      if stored then
        found[#found + 1] = whole(tonumber(members[i + 1]))
        found[#found + 1] = string.match(stored, '^%d+:(.*)$')
      end
    end
  end
  return found
elseif what == 'hurry' then
  -- ARGV[4..] a position in due, page size, limits (1 or 0). Returns { next position or -1, conversations that were
  -- made ready }
  limits_on = ARGV[6] == '1'
  local space = space_of(ARGV[2])
  local from, size = tonumber(ARGV[4]), tonumber(ARGV[5])
  local members = redis.call('ZRANGE', space.due, from, from + size - 1)
  local count = 0
  for _, member in ipairs(members) do
    if string.sub(member, 1, 1) == 'c' then
      local conv = string.sub(member, 2)
      local c = load_conv(space, conv)
      if c.leased == 0 and c.parked == '' then
        make_ready(space, c, redis.call('LLEN', space.q .. conv))
        count = count + 1
      end
    end
  end
  finish()
  return { #members < size and -1 or from + size - count, count }
elseif what == 'limits' then
  -- ARGV[4..] tenant, limits, …: replaces all.
  redis.call('DEL', root .. 'lim')
  for i = 4, #ARGV, 2 do
    redis.call('HSET', root .. 'lim', ARGV[i], ARGV[i + 1])
  end
  return 1
elseif what == 'replay' or what == 'discard' then
  -- ARGV[4..] stream (dlq or parked), id, envelope (replay only), limits (1 or 0). Returns 1 when there was one.
  limits_on = ARGV[7] == '1'
  local stream, id = root .. ARGV[4], ARGV[5]
  local found = redis.call('XRANGE', stream, id, id)[1]
  if not found then
    return 0
  end
  local letter = {}
  for i = 1, #found[2], 2 do
    letter[found[2][i]] = found[2][i + 1]
  end
  redis.call('XDEL', stream, id)
  if redis.call('XLEN', stream) == 0 then
    redis.call('DEL', stream)
  end
  local space = space_of(letter.space)
  if ARGV[4] == 'dlq' then
    if what == 'replay' then
      appended(space, letter.conv, redis.call('RPUSH', space.q .. letter.conv, ARGV[6]), false, false)
    end
  else
    local c = load_conv(space, letter.conv)
    if c.parked == id then
      c.parked = ''
      if what == 'discard' then
        redis.call('LPOP', space.q .. letter.conv)
        removed(c, 1)
      else
        c.attempts = 0
      end
      make_ready(space, c, redis.call('LLEN', space.q .. letter.conv))
    end
  end
  finish()
  return 1
elseif what == 'count' then
  -- One page of figures. ARGV[4..] cursor of m and due together: a position in due, page size.
  -- Returns { next position or -1, depth, oldest enqueuedAt or -1, in flight, delayed, parked, scheduled,
  -- now, oldest enqueuedAt of what could be handed out now or -1 }
  local space = space_of(ARGV[2])
  local from, size = tonumber(ARGV[4]), tonumber(ARGV[5])
  local members = redis.call('ZRANGE', space.due, from, from + size - 1, 'WITHSCORES')
  local depth, oldest, waiting, in_flight, delayed, parked, scheduled = 0, -1, -1, 0, 0, 0, 0
  local function count(conv, waits)
    local q = space.q .. conv
    local length = redis.call('LLEN', q)
    local head = redis.call('LINDEX', q, 0) or ''
    if string.sub(head, 1, 1) == TICKET then
      head = redis.call('LINDEX', q, 1) or ''
    end
    local c = load_conv(space, conv)
    if has(c.flags, TICKETS) then
      for _, body in ipairs(redis.call('LRANGE', q, 0, -1)) do
        if string.sub(body, 1, 1) == TICKET then
          length = length - 1
        end
      end
    end
    depth = depth + length
    local at = tonumber(string.match(string.sub(head, 1, 64), '^{"v":%d+,"enqueuedAt":(%d+),') or '')
    if at and (oldest < 0 or at < oldest) then
      oldest = at
    end
    if at and waits and (waiting < 0 or at < waiting) then
      waiting = at
    end
    return c
  end
  for i = 1, #members, 2 do
    local kind, conv = string.sub(members[i], 1, 1), string.sub(members[i], 2)
    if kind == 's' then
      scheduled = scheduled + 1
    elseif kind == 'c' then
      -- A lease or a delay that is over counts although nobody has looked since.
      local c = count(conv, tonumber(members[i + 1]) <= now)
      if c.leased > 0 then
        in_flight = in_flight + 1
      elseif c.parked ~= '' then
        parked = parked + 1
      else
        delayed = delayed + 1
      end
    end
  end
  if from == 0 then
    -- Ready ones, by tenant; tenants that must not be served yet are among the members of due.
    local tenants = {}
    for _, tenant in ipairs(redis.call('LRANGE', space.ring, 0, -1)) do tenants[#tenants + 1] = 'r:' .. tenant end
    for _, tenant in ipairs(redis.call('LRANGE', space.ringh, 0, -1)) do tenants[#tenants + 1] = 'rh:' .. tenant end
    for _, line in ipairs(tenants) do
      for _, conv in ipairs(redis.call('LRANGE', space.p .. line, 0, -1)) do count(conv, true) end
    end
  end
  for i = 1, #members, 2 do
    if string.sub(members[i], 1, 1) == 'p' then
      local lane, tenant = string.sub(members[i], 2, 2), string.sub(members[i], 3)
      for _, conv in ipairs(redis.call('LRANGE', space.p .. (lane == 'h' and 'rh:' or 'r:') .. tenant, 0, -1)) do count(conv, tonumber(members[i + 1]) <= now) end
    end
  end
  local done = #members < size * 2
  return { done and -1 or from + size, depth, whole(oldest), in_flight, delayed, parked, scheduled, whole(now), whole(waiting) }
end
return redis.error_reply('ERR unknown request')
