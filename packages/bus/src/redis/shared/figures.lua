-- What operators see of a space: kept counts, ages of the first in line, and the recount that corrects the counts.
local function counts_of(space)
  local found = redis.call('HMGET', space.cnt, 'depth', 'leased', 'parked')
  local function kept(i)
    return math.max(0, tonumber(found[i] or '0'))
  end
  return { depth = kept(1), leased = kept(2), parked = kept(3) }
end
-- When the first message of a mailbox was published, or nil.
local function head_age(space, conv)
  local q = space.q .. conv
  local head = redis.call('LINDEX', q, 0) or ''
  if string.sub(head, 1, 1) == TICKET then
    head = redis.call('LINDEX', q, 1) or ''
  end
  return tonumber(string.match(string.sub(head, 1, 64), '^{"v":%d+,"enqueuedAt":(%d+),') or '')
end
-- The lines of ready conversations, `limit` at most: key, and whether it may be served now.
local function lines_of(space, limit)
  local lines = {}
  for _, tenant in ipairs(redis.call('LRANGE', space.ring, 0, limit - 1)) do
    lines[#lines + 1] = { key = space.r .. tenant, waits = true }
  end
  for _, tenant in ipairs(redis.call('LRANGE', space.ringh, 0, limit - 1)) do
    lines[#lines + 1] = { key = space.rh .. tenant, waits = true }
  end
  return lines
end
local function parked_line(space, member, score)
  local lane, tenant = string.sub(member, 2, 2), string.sub(member, 3)
  return { key = (lane == 'h' and space.rh or space.r) .. tenant, waits = tonumber(score) <= now }
end
-- The oldest message of all, and of those that could be handed out now, among about `sample` conversations: the first
-- and last of each line, what is due first, and what is parked.
local function ages(space, sample)
  local oldest, waiting = -1, -1
  local function look(conv, waits)
    local at = head_age(space, conv)
    if at and (oldest < 0 or at < oldest) then
      oldest = at
    end
    if at and waits and (waiting < 0 or at < waiting) then
      waiting = at
    end
  end
  local lines = lines_of(space, sample)
  local first = redis.call('ZRANGE', space.due, 0, sample - 1, 'WITHSCORES')
  local last = #first < 2 * sample and {} or redis.call('ZRANGE', space.due, -sample, -1, 'WITHSCORES')
  for _, members in ipairs({ first, last }) do
    for i = 1, #members, 2 do
      local kind = string.sub(members[i], 1, 1)
      if kind == 'c' then
        look(string.sub(members[i], 2), tonumber(members[i + 1]) <= now)
      elseif kind == 'p' then
        lines[#lines + 1] = parked_line(space, members[i], members[i + 1])
      end
    end
  end
  local each = math.max(1, math.floor(sample / math.max(1, #lines)))
  for _, line in ipairs(lines) do
    for _, conv in ipairs(redis.call('LRANGE', line.key, 0, each - 1)) do look(conv, line.waits) end
    for _, conv in ipairs(redis.call('LRANGE', line.key, -each, -1)) do look(conv, line.waits) end
  end
  return oldest, waiting
end
local function messages_in(space, conv)
  local q = space.q .. conv
  local length = redis.call('LLEN', q)
  if has(load_conv(space, conv).flags, TICKETS) then
    for _, body in ipairs(redis.call('LRANGE', q, 0, -1)) do
      if string.sub(body, 1, 1) == TICKET then
        length = length - 1
      end
    end
  end
  return length
end
-- Positions run through due, and then through the lines one after the other: those in the rings, and those of `known`,
-- members of due that stand for tenants, as earlier pages found them.
local function recount(space, from, size, known)
  local depth, leased, found = 0, 0, {}
  local cards = redis.call('ZCARD', space.due)
  local left, at = size, from
  if from < cards then
    for _, member in ipairs(redis.call('ZRANGE', space.due, from, from + size - 1)) do
      local kind, conv = string.sub(member, 1, 1), string.sub(member, 2)
      if kind == 'c' then
        depth = depth + messages_in(space, conv)
        leased = leased + (load_conv(space, conv).leased > 0 and 1 or 0)
      elseif kind == 'p' then
        found[#found + 1] = member
      end
      left, at = left - 1, at + 1
    end
  end
  local lines = lines_of(space, 10000)
  for _, member in ipairs(known) do lines[#lines + 1] = parked_line(space, member, 0) end
  for _, member in ipairs(found) do lines[#lines + 1] = parked_line(space, member, 0) end
  local start, more = cards, at < cards
  for _, line in ipairs(lines) do
    if more then
      break
    end
    local length = redis.call('LLEN', line.key)
    if at < start + length then
      local convs = redis.call('LRANGE', line.key, at - start, at - start + left - 1)
      for _, conv in ipairs(convs) do depth = depth + messages_in(space, conv) end
      left, at = left - #convs, at + #convs
      more = at < start + length
    end
    start = start + length
  end
  local kept = redis.call('HMGET', space.cnt, 'depth', 'leased', 'parked')
  return { more and at or -1, depth, leased, kept[1] or '0', kept[2] or '0', kept[3] or '0', redis.call('GET', root .. 'f') or '0', found }
end
