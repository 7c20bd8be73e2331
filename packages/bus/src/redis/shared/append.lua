-- Puts envelopes into mailboxes: new ones, replies, scheduled ones whose time has come.
local function notify(holder, space, conv, interrupt)
  local key = root .. 'n:' .. holder
  redis.call('ZADD', key, 'LT', interrupt and '-1' or '0', space.name .. '\n' .. conv)
  redis.call('PEXPIRE', key, '60000')
end
local function load_conv(space, conv)
  local c = space.convs[conv]
  if c then
    return c
  end
  local packed = redis.call('HGET', space.m, conv)
  c = { key = conv, fence = 0, leased = 0, attempts = 0, redeliveries = 0, flags = 0, holder = '', parked = '', crashes = 0, stored = packed and true or false }
  if packed then
    c.fence, c.leased, c.attempts, c.redeliveries, c.flags, c.holder, c.parked, c.crashes = cmsgpack.unpack(packed)
    -- An older version writes no crashes.
    c.crashes = c.crashes or 0
  end
  space.convs[conv] = c
  return c
end
local function is_blank(c)
  return c.fence == 0 and c.attempts == 0 and c.redeliveries == 0 and c.flags == 0 and c.parked == '' and c.crashes == 0
end
local function pack_conv(c)
  return cmsgpack.pack(c.fence, c.leased, c.attempts, c.redeliveries, c.flags, c.holder, c.parked, c.crashes)
end
local function save_conv(space, c)
  if is_blank(c) then
    if c.stored then
      redis.call('HDEL', space.m, c.key)
      c.stored = false
    end
  else
    redis.call('HSET', space.m, c.key, pack_conv(c))
    c.stored = true
  end
end
-- The mailbox has just received an envelope and now holds `length`.
local function appended(space, conv, length, high, interrupt)
  count(space, 'depth', 1)
  if length == 1 then
    if space.name ~= 'in' then
      redis.call('SADD', root .. 'gws', space.name)
    end
    if high then
      local c = load_conv(space, conv)
      c.flags = HIGH
      save_conv(space, c)
    end
    enter_lane(space, conv, high)
    return
  end
  if high then
    local c = load_conv(space, conv)
    if not has(c.flags, HIGH) then
      c.flags = c.flags + HIGH
      save_conv(space, c)
    end
  end
  if space.watchers == nil then
    space.watchers = redis.call('EXISTS', space.mo) == 1
  end
  if space.watchers then
    local holder = redis.call('HGET', space.mo, conv)
    if holder then
      notify(holder, space, conv, interrupt)
    end
  end
end
-- `max_dead`: dead letters kept, and of those one tenant's. A tenant's are known by their ids in dt:<tenant>; those that
-- the stream dropped by itself are the first to go from there.
local function dead_letter(space, conv, body, cause, attempts, signature, max_dead)
  local all, own = string.match(max_dead, '^(%d+):(%d+)$')
  local id = redis.call('XADD', root .. 'dlq', 'MAXLEN', '~', all, '*', 'space', space.name, 'conv', conv, 'body', body, 'cause', cause, 'attempts', attempts, 'sig', signature, 'at', whole(now))
  local ids = root .. 'dt:' .. string.match(conv, '^[^/]*')
  if redis.call('RPUSH', ids, id) > tonumber(own) then
    redis.call('XDEL', root .. 'dlq', redis.call('LPOP', ids))
  end
end
-- Gives up the oldest message that nobody holds. `before` messages were there before the new one.
local function drop_oldest(space, conv, before, max_dead)
  local c = load_conv(space, conv)
  local first = c.parked == '' and c.leased or 1
  local last = math.min(before, first + 16) - 1
  if last < first then
    return false
  end
  local bodies = redis.call('LRANGE', space.q .. conv, first, last)
  for i, body in ipairs(bodies) do
    local index = first + i - 1
    -- A ready conversation has a message at its head, never a ticket.
    local shields = index == 0 and bodies[i + 1] and string.sub(bodies[i + 1], 1, 1) == TICKET
    if string.sub(body, 1, 1) ~= TICKET and not shields then
      local attempts = index == 0 and c.attempts or (index < c.redeliveries and 1 or 0)
      if index < c.redeliveries then
        c.redeliveries = c.redeliveries - 1
      end
      if index == 0 then
        c.attempts = c.redeliveries > 0 and 1 or 0
      end
      save_conv(space, c)
      local tombstone = '\2' .. whole(micros)
      redis.call('LSET', space.q .. conv, index, tombstone)
      redis.call('LREM', space.q .. conv, 1, tombstone)
      count(space, 'depth', -1)
      dead_letter(space, conv, body, 'overflow', attempts, '', max_dead)
      return true
    end
  end
  return false
end
-- How duplicates are known: a mark in one of 1,024 small hashes of the window in which it was made, which is looked at
-- in
-- the next one too.
local marks
local function marks_of(window)
  if not marks then
    local generation = math.floor(now / window)
    marks = { before = root .. 'd' .. whole(generation - 1) .. ':', current = root .. 'd' .. whole(generation) .. ':', life = whole(window * 2) }
  end
  return marks
end
-- limits: { backlog (0: none), drop (boolean), window ms, max_dead }
local function publish_one(space, conv, dedup, id, body, delay, flags, limits)
  local bucket
  if dedup ~= '' then
    local known = marks_of(limits.window)
    local shard, field = string.sub(dedup, 1, 2), string.sub(dedup, 3)
    if redis.call('HEXISTS', known.before .. shard, field) == 1 then
      return 1
    end
    bucket = known.current .. shard
    if redis.call('HSETNX', bucket, field, '') == 0 then
      return 1
    end
    redis.call('PEXPIRE', bucket, known.life)
    dedup = field
  end
  local interrupt, high = has(flags, 1), has(flags, 2)
  if delay > 0 then
    local key = conv .. '\n' .. id
    if redis.call('HSETNX', space.p .. 'sb', key, flags .. ':' .. body) == 0 then
      if bucket then
        redis.call('HDEL', bucket, dedup)
      end
      return 1
    end
    redis.call('ZADD', space.due, whole(now + delay), 's' .. key)
    space.woken = true
    return 0
  end
  local length = redis.call('RPUSH', space.q .. conv, body)
  if limits.backlog > 0 and length > limits.backlog and not (limits.drop and drop_oldest(space, conv, length - 1, limits.max_dead)) then
    redis.call('RPOP', space.q .. conv)
    if bucket then
      redis.call('HDEL', bucket, dedup)
    end
    return 2
  end
  appended(space, conv, length, high, interrupt)
  return 0
end
