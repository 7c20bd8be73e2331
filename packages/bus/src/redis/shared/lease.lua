-- The life of a lease. Conversations are loaded once and written once, at the end of the script: see flush.
local last_fence, fence_moved
local function next_fence()
  if not last_fence then
    last_fence = tonumber(redis.call('GET', root .. 'f') or '0')
  end
  last_fence = math.max(last_fence + 1, micros)
  fence_moved = true
  return last_fence
end
local limits_on, limit_cache = false, {}
local function limits_of(tenant)
  if not limits_on then
    return nil
  end
  local limits = limit_cache[tenant]
  if limits == nil then
    local found = redis.call('HMGET', root .. 'lim', tenant, '*')
    local weight, cap, rate, burst = string.match(found[1] or found[2] or '1:::10', '^(%d+):(%d*):(%d*):(%d+)$')
    limits = { weight = tonumber(weight), cap = tonumber(cap), rate = tonumber(rate), burst = tonumber(burst) }
    limit_cache[tenant] = limits
  end
  return limits
end
local function tenant_of(conv)
  return string.match(conv, '^[^/]*')
end
local function count_lease(space, conv, deadline)
  local tenant = limits_on and tenant_of(conv)
  if tenant and limits_of(tenant).cap then
    redis.call('ZADD', space.p .. 'l:' .. tenant, whole(deadline), conv)
  end
end
local function unpark(space, lane, tenant)
  if redis.call('ZREM', space.due, 'p' .. lane .. tenant) == 1 then
    count(space, 'parked', -1)
    flush_ready(space)
    redis.call('RPUSH', lane == 'h' and space.ringh or space.ring, tenant)
    space.woken = true
  end
end
local function uncount_lease(space, conv)
  local tenant = limits_on and tenant_of(conv)
  if tenant and limits_of(tenant).cap then
    redis.call('ZREM', space.p .. 'l:' .. tenant, conv)
    unpark(space, 'h', tenant)
    unpark(space, 'n', tenant)
  end
end
local function touch(space, c)
  space.touched = space.touched or {}
  space.touched[c.key] = c
end
local function set_due(space, c, at)
  space.due_at[c.key] = at
end
local function clear_due(space, c)
  space.due_at[c.key] = false
end
local function prefetch(space, convs)
  local missing = {}
  for _, conv in ipairs(convs) do
    if not space.convs[conv] then
      missing[#missing + 1] = conv
    end
  end
  if #missing == 0 then
    return
  end
  local found = redis.call('HMGET', space.m, unpack(missing))
  for i, conv in ipairs(missing) do
    local c = { key = conv, fence = 0, leased = 0, attempts = 0, redeliveries = 0, flags = 0, holder = '', parked = '', crashes = 0, stored = found[i] and true or false }
    if found[i] then
      c.fence, c.leased, c.attempts, c.redeliveries, c.flags, c.holder, c.parked, c.crashes = cmsgpack.unpack(found[i])
      c.crashes = c.crashes or 0
    end
    space.convs[conv] = c
  end
end
--- include holders.lua
-- Nobody holds the conversation and it waits for nothing: into its lane, or straight to the ticket at its head.
-- `length`: of its mailbox.
local function make_ready(space, c, length)
  local q = space.q .. c.key
  while length > 0 and has(c.flags, TICKETS) do
    local head = redis.call('LINDEX', q, '0')
    if string.sub(head, 1, 1) ~= TICKET then
      break
    end
    local ttl, holder, ticket = string.match(head, '^.(%d+):([^:]*):(.*)$')
    local alive_until = tonumber(redis.call('HGET', root .. 'tk', ticket) or '0')
    redis.call('HDEL', root .. 'tk', ticket)
    if alive_until > now then
      c.fence, c.leased, c.holder = next_fence(), 1, holder
      c.flags = c.flags + GRANTED
      lease_began(space, holder)
      set_due(space, c, now + ttl)
      count_lease(space, c.key, now + ttl)
      touch(space, c)
      notify(holder, space, c.key, false)
      return
    end
    redis.call('LPOP', q)
    length = length - 1
  end
  touch(space, c)
  clear_due(space, c)
  if length == 0 then
    c.fence, c.leased, c.attempts, c.redeliveries, c.flags, c.holder, c.parked, c.crashes = 0, 0, 0, 0, 0, '', '', 0
    return
  end
  enter_lane(space, c.key, has(c.flags, HIGH))
end
local function end_lease(space, c)
  lease_ended(space, c)
  uncount_lease(space, c.key)
  if has(c.flags, WATCHED) then
    redis.call('HDEL', space.mo, c.key)
    c.flags = c.flags - WATCHED
  end
  if has(c.flags, GRANTED) then
    c.flags = c.flags - GRANTED
  end
  c.fence, c.leased, c.holder = 0, 0, ''
  touch(space, c)
end
local function fail_lease(space, c)
  local leased = c.leased
  if has(c.flags, GRANTED) then
    redis.call('LPOP', space.q .. c.key)
    leased = leased - 1
    c.attempts = leased > 0 and 1 or 0
  end
  c.redeliveries = math.max(c.redeliveries, leased)
  end_lease(space, c)
end
-- `entries` left the head; `messages` of them are no tickets.
-- A lease ended without an answer: its holder may have crashed, by this conversation or by another that it held.
local function expire_lease(space, c, wait)
  local alone = held_alone(c.holder) or has(c.flags, TRIAL)
  fail_lease(space, c)
  if not alone then
    c.attempts = c.attempts - 1
  end
  c.crashes = c.crashes + 1
  redis.call('ZADD', space.sus, whole(-c.crashes), c.key)
  set_due(space, c, now + wait)
  space.woken = true
end
local function removed(space, c, entries, messages)
  count(space, 'depth', -messages)
  c.redeliveries = math.max(0, c.redeliveries - entries)
  c.attempts = c.redeliveries > 0 and 1 or 0
end
local function go_on(space, c, delay)
  if delay > 0 then
    set_due(space, c, now + delay)
  else
    make_ready(space, c, redis.call('LLEN', space.q .. c.key))
  end
end
local function parts(list, from, per)
  return unpack(list, from, math.min(#list, from + per - 1))
end
local function flush(space)
  local sets, dels, ups, downs = {}, {}, {}, {}
  -- Most are leases of one request, with one deadline.
  local shown_at, shown
  for conv, c in pairs(space.touched or {}) do
    if is_blank(c) then
      if c.stored then
        dels[#dels + 1] = conv
        c.stored = false
      end
    else
      sets[#sets + 1] = conv
      sets[#sets + 1] = pack_conv(c)
      c.stored = true
    end
  end
  for conv, at in pairs(space.due_at) do
    if at then
      if at ~= shown_at then
        shown_at, shown = at, at == math.huge and '+inf' or whole(at)
      end
      ups[#ups + 1] = shown
      ups[#ups + 1] = 'c' .. conv
    else
      downs[#downs + 1] = 'c' .. conv
    end
  end
  for i = 1, #sets, 4000 do redis.call('HSET', space.m, parts(sets, i, 4000)) end
  for i = 1, #dels, 4000 do redis.call('HDEL', space.m, parts(dels, i, 4000)) end
  for i = 1, #ups, 4000 do redis.call('ZADD', space.due, parts(ups, i, 4000)) end
  for i = 1, #downs, 4000 do redis.call('ZREM', space.due, parts(downs, i, 4000)) end
  space.touched, space.due_at = {}, {}
end
-- Writes what was gathered, in every space that was used.
local function finish()
  for _, space in pairs(spaces) do
    flush(space)
    mark_wake(space)
    flush_counts(space)
  end
  flush_holders()
  if fence_moved then
    redis.call('SET', root .. 'f', whole(last_fence))
    fence_moved = false
  end
end
-- At most 100 things whose time has come. `wait`: ms after which a suspect goes out without a trial.
local function promote(space, wait)
  local due = redis.call('ZRANGEBYSCORE', space.due, '-inf', whole(now), 'LIMIT', '0', '100')
  for _, member in ipairs(due) do
    local kind, rest = string.sub(member, 1, 1), string.sub(member, 2)
    if kind == 'c' then
      if space.due_at[rest] == nil then
        local c = load_conv(space, rest)
        if c.leased > 0 and not has(c.flags, GRANTED) then
          expire_lease(space, c, wait)
        else
          if c.leased > 0 then
            fail_lease(space, c)
          elseif c.crashes > 0 then
            redis.call('ZREM', space.sus, rest)
          end
          make_ready(space, c, redis.call('LLEN', space.q .. rest))
        end
      end
    elseif kind == 's' then
      redis.call('ZREM', space.due, member)
      local stored = redis.call('HGET', space.p .. 'sb', rest)
      redis.call('HDEL', space.p .. 'sb', rest)
      if stored then
        local flags, body = string.match(stored, '^(%d+):(.*)$')
        local conv = string.match(rest, '^(.-)\n')
        flags = tonumber(flags)
        appended(space, conv, redis.call('RPUSH', space.q .. conv, body), has(flags, 2), has(flags, 1))
      end
    else
      unpark(space, string.sub(rest, 1, 1), string.sub(rest, 2))
    end
  end
end
local function next_due(space)
  local first = redis.call('ZRANGE', space.due, '0', '0', 'WITHSCORES')[2]
  if not first or first == 'inf' then
    return -1
  end
  return math.max(0, tonumber(first) - now)
end
