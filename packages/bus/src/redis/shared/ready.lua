-- Ready conversations, gathered and written together. A tenant whose line was empty enters the ring.
local function flush_ready(space)
  for _, lane_tenant in ipairs(space.order) do
    local line = space.lines[lane_tenant]
    local high = line.high
    local length = redis.call('RPUSH', (high and space.rh or space.r) .. line.tenant, unpack(line))
    if length == #line then
      redis.call('RPUSH', high and space.ringh or space.ring, line.tenant)
    end
  end
  if #space.order > 0 then
    space.lines, space.order, space.woken = {}, {}, true
  end
end
local function enter_lane(space, conv, high)
  local tenant = string.match(conv, '^[^/]*')
  local key = (high and 'h' or 'n') .. tenant
  local line = space.lines[key]
  if not line then
    line = { tenant = tenant, high = high }
    space.lines[key] = line
    space.order[#space.order + 1] = key
  elseif #line >= 4000 then
    flush_ready(space)
    return enter_lane(space, conv, high)
  end
  line[#line + 1] = conv
end
local function mark_wake(space)
  flush_ready(space)
  if space.woken then
    redis.call('ZADD', space.wake, '0', '1')
  end
end
