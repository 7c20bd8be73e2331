-- Hands out ready conversations: tenants take turns, within the limits of each.
local HIGH_RUN, UNITS = 8, 60000
local function park_tenant(space, lane, tenant, at)
  count(space, 'parked', redis.call('ZADD', space.due, at == math.huge and '+inf' or whole(at), 'p' .. lane .. tenant))
  redis.call('HDEL', space.p .. 'cr', lane .. tenant)
end
local function bucket_of(space, tenant, limits)
  local stored = redis.call('GET', space.p .. 'tb:' .. tenant)
  if not stored then
    return limits.burst * UNITS
  end
  local units, at = string.match(stored, '^(-?%d+):(%d+)$')
  return math.min(limits.burst * UNITS, tonumber(units) + math.max(0, now - tonumber(at)) * limits.rate)
end
local function store_bucket(space, tenant, limits, units)
  local refill = math.ceil((limits.burst * UNITS - units) / limits.rate)
  redis.call('SET', space.p .. 'tb:' .. tenant, string.format('%.0f:%.0f', units, now), 'PX', math.max(1, refill) + 60000)
end
-- Whether the tenant's limits let one more through, which is then counted.
local function may_lease_one(space, tenant, limits)
  if limits.cap then
    local key = space.p .. 'l:' .. tenant
    redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now))
    if redis.call('ZCARD', key) >= limits.cap then
      return false
    end
  end
  if limits.rate then
    local units = bucket_of(space, tenant, limits)
    if units < UNITS then
      return false
    end
    store_bucket(space, tenant, limits, units - UNITS)
  end
  return true
end
-- How many the tenant's limits let through; parks it when none.
local function allowance(space, lane, tenant, limits, turn)
  if limits.cap then
    local key = space.p .. 'l:' .. tenant
    redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now))
    turn = math.min(turn, limits.cap - redis.call('ZCARD', key))
    if turn <= 0 then
      local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
      park_tenant(space, lane, tenant, first and tonumber(first) or now)
      return 0
    end
  end
  if limits.rate then
    local units = bucket_of(space, tenant, limits)
    turn = math.min(turn, math.floor(units / UNITS))
    if turn <= 0 then
      store_bucket(space, tenant, limits, units)
      park_tenant(space, lane, tenant, now + math.ceil((UNITS - units) / limits.rate))
      return 0
    end
  end
  return turn
end
-- One round over the tenants of a lane. `tenants`: how many there are.
local function serve_lane(space, lane, tenants, quota, taken)
  local ring = lane == 'h' and space.ringh or space.ring
  local served = 0
  while tenants > 0 and served < quota do
    local tenant = redis.call('LPOP', ring)
    local line = (lane == 'h' and space.rh or space.r) .. tenant
    local limits = limits_of(tenant)
    local turn = math.max(1, math.floor((quota - served) / tenants))
    local credit = turn
    if limits then
      credit = tonumber(redis.call('HGET', space.p .. 'cr', lane .. tenant) or limits.weight)
      turn = allowance(space, lane, tenant, limits, math.min(quota - served, credit))
    end
    if turn > 0 then
      local convs = redis.call('LPOP', line, whole(turn)) or {}
      for _, conv in ipairs(convs) do
        taken[#taken + 1] = conv
        if limits and limits.cap then
          -- Counted now, so that a second turn in the same round sees it.
          redis.call('ZADD', space.p .. 'l:' .. tenant, whole(space.deadline), conv)
        end
      end
      served = served + #convs
      if limits and limits.rate then
        store_bucket(space, tenant, limits, bucket_of(space, tenant, limits) - #convs * UNITS)
      end
      local empty = #convs < turn or redis.call('EXISTS', line) == 0
      if limits and not empty and credit > #convs then
        redis.call('LPUSH', ring, tenant)
        redis.call('HSET', space.p .. 'cr', lane .. tenant, credit - #convs)
      else
        if not empty then
          redis.call('RPUSH', ring, tenant)
        end
        if limits then
          redis.call('HDEL', space.p .. 'cr', lane .. tenant)
        end
      end
    end
    tenants = tenants - 1
  end
  return served
end
-- Fills `taken` up to `want` with the conversations to lease: eight of the fast lane, then one of the normal one.
local function serve(space, want, taken)
  while #taken < want do
    local high, normal = redis.call('LLEN', space.ringh), redis.call('LLEN', space.ring)
    if high == 0 and normal == 0 then
      break
    end
    local run_key = space.p .. 'hr'
    if high == 0 then
      serve_lane(space, 'n', normal, want - #taken, taken)
    else
      local run = normal > 0 and tonumber(redis.call('GET', run_key) or '0') or 0
      if normal == 0 then
        serve_lane(space, 'h', high, want - #taken, taken)
      elseif run < HIGH_RUN then
        run = run + serve_lane(space, 'h', high, math.min(want - #taken, HIGH_RUN - run), taken)
        redis.call('SET', run_key, run)
      else
        serve_lane(space, 'n', normal, 1, taken)
        redis.call('SET', run_key, 0)
      end
      if redis.call('EXISTS', space.ringh) == 0 then
        redis.call('DEL', run_key)
      end
    end
  end
end
