#!lua flags=allow-oom
-- What an operator does. ARGV[3] says what; the rest depends on it.
--- include shared/base.lua
--- include shared/ready.lua
--- include shared/append.lua
--- include shared/lease.lua
--- include shared/figures.lua
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
elseif what == 'time' then
  return whole(now)
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
elseif what == 'retry-now' then
  -- ARGV[4..] a position in due, page size, limits (1 or 0). Returns { next position or -1, conversations that were
  -- made ready }
  limits_on = ARGV[6] == '1'
  local space = space_of(ARGV[2])
  local from, size = tonumber(ARGV[4]), tonumber(ARGV[5])
  local members = redis.call('ZRANGE', space.due, from, from + size - 1)
  local made_ready = 0
  for _, member in ipairs(members) do
    if string.sub(member, 1, 1) == 'c' then
      local conv = string.sub(member, 2)
      local c = load_conv(space, conv)
      if c.leased == 0 and c.parked == '' then
        if c.crashes > 0 then
          redis.call('ZREM', space.sus, conv)
        end
        make_ready(space, c, redis.call('LLEN', space.q .. conv))
        made_ready = made_ready + 1
      end
    end
  end
  finish()
  return { #members < size and -1 or from + size - made_ready, made_ready }
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
  if ARGV[4] == 'dlq' then
    redis.call('LREM', root .. 'dt:' .. string.match(letter.conv, '^[^/]*'), 1, id)
  end
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
        removed(space, c, 1, 1)
      else
        c.attempts = 0
      end
      make_ready(space, c, redis.call('LLEN', space.q .. letter.conv))
    end
  end
  finish()
  return 1
elseif what == 'stats' then
  -- Figures from kept counts; ages from the first of each line and of due. ARGV[4] conversations looked at, about.
  -- Returns { depth, in flight, delayed, parked, scheduled, now, oldest enqueuedAt or -1, the same of what could be
  -- handed out now or -1 }
  local space = space_of(ARGV[2])
  local counts = counts_of(space)
  local scheduled = redis.call('HLEN', space.p .. 'sb')
  local parked = redis.call('ZCOUNT', space.due, '+inf', '+inf')
  local delayed = redis.call('ZCARD', space.due) - scheduled - parked - counts.leased - counts.parked
  local oldest, waiting = ages(space, tonumber(ARGV[4]))
  return { counts.depth, counts.leased, math.max(0, delayed), parked, scheduled, whole(now), whole(oldest), whole(waiting) }
elseif what == 'recount' then
  -- One page of a recount. ARGV[4..] a position in due or in the lines behind it, page size, members of due that stand
  -- for tenants. Returns { next position or -1, depth, in flight, kept counts of depth, in flight and such tenants, last
  -- fence, further such members }
  local space = space_of(ARGV[2])
  return recount(space, tonumber(ARGV[4]), tonumber(ARGV[5]), { unpack(ARGV, 6) })
elseif what == 'correct' then
  -- ARGV[4..] depth, in flight, parked tenants: what a recount found beyond the kept counts.
  local space = space_of(ARGV[2])
  count(space, 'depth', tonumber(ARGV[4]))
  count(space, 'leased', tonumber(ARGV[5]))
  count(space, 'parked', tonumber(ARGV[6]))
  flush_counts(space)
  return 1
end
return redis.error_reply('ERR unknown request')
