#!lua flags=allow-oom
-- Settles leases and leases more, in one step.
-- ARGV[3..] exchanger, request id, holder, want, messages of each, lease ms, window ms, dead letters kept, limits (1 or
-- 0),
--           number of settles; then the settles: see shared/settle.lua
-- Returns { results of the settles, for each lease: conversation, fence, attempt, number of envelopes, these; ms until
-- something is due }.
--- include shared/base.lua
--- include shared/ready.lua
--- include shared/append.lua
--- include shared/lease.lua
--- include shared/settle.lua
--- include shared/serve.lua
--- include shared/trial.lua
local function add_lease(leases, conv, fence, attempt, bodies)
  local at = #leases
  leases[at + 1], leases[at + 2], leases[at + 3], leases[at + 4] = conv, fence, attempt, #bodies
  for i = 1, #bodies do leases[at + 4 + i] = bodies[i] end
end
local space = space_of(ARGV[2])
local request_id, holder, want, per, lease_ms = ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local window, max_dead, settles = tonumber(ARGV[9]), ARGV[10], tonumber(ARGV[12])
limits_on = ARGV[11] == '1'
space.deadline = now + lease_ms
local memo_key = root .. 'x:' .. ARGV[3]
local memo = redis.call('GET', memo_key)
if memo then
  memo = cmsgpack.unpack(memo)
  if memo[1] == request_id then
    -- The request came twice: the same answer again, as far as it still holds.
    local granted, leases, held = memo[3], {}, 0
    for i = 1, #granted, 4 do
      local conv, fence = granted[i], granted[i + 1]
      local c = load_conv(space, conv)
      if c.fence == tonumber(fence) then
        -- The asker counts its lease from the request that it has the answer to.
        set_due(space, c, space.deadline)
        count_lease(space, conv, space.deadline)
        add_lease(leases, conv, fence, granted[i + 2], redis.call('LRANGE', space.q .. conv, '0', granted[i + 3] - 1))
        held = held + 1
      end
    end
    flush(space)
    return { memo[2], leases, want > held and next_due(space) or -1 }
  end
end
local settled = {}
local at = 13
if settles > 1 then
  -- The conversations stand at places that only a walk over the settles tells; an ack's replies are counted.
  local convs, seek = {}, at
  for _ = 1, settles do
    local kind = ARGV[seek]
    convs[#convs + 1] = ARGV[seek + 1]
    seek = seek + 3
    if kind == 'ack' then
      seek = seek + 2 + ARGV[seek + 1] * 7
    elseif kind == 'dead' then
      seek = seek + 4
    elseif kind == 'park' then
      seek = seek + 3
    elseif kind ~= 'watch' then
      seek = seek + 1
    end
  end
  prefetch(space, convs)
end
for i = 1, settles do
  settled[i], at = settle_one(space, ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), at + 3, window, max_dead)
end
-- `granted`: as `leases`, without the envelopes.
local leases, granted, held, due, suspect = {}, {}, 0, -1, nil
if want > 0 then
  local last = whole(per - 1)
  promote(space, lease_ms)
  flush_ready(space)
  suspect = try_suspect(space, holder)
  local taken = suspect and { suspect } or {}
  serve(space, want, taken)
  prefetch(space, taken)
  for _, conv in ipairs(taken) do
    local c = load_conv(space, conv)
    local bodies = redis.call('LRANGE', space.q .. conv, '0', c.redeliveries > 0 and '0' or last)
    if has(c.flags, TICKETS) then
      for i = 2, #bodies do
        if bodies[i] and string.sub(bodies[i], 1, 1) == TICKET then
          for j = #bodies, i, -1 do bodies[j] = nil end
        end
      end
    end
    if #bodies > 0 then
      c.attempts, c.fence, c.leased, c.holder = c.attempts + 1, next_fence(), #bodies, holder
      if has(c.flags, HIGH) then
        c.flags = c.flags - HIGH
      end
      touch(space, c)
      set_due(space, c, space.deadline)
      lease_began(space, holder)
      local fence, at = whole(c.fence), #granted
      granted[at + 1], granted[at + 2], granted[at + 3], granted[at + 4] = conv, fence, c.attempts, #bodies
      add_lease(leases, conv, fence, c.attempts, bodies)
      held = held + 1
    end
  end
  space.woken = false
end
finish()
if want > 0 then
  due = held < want and next_due(space) or -1
  -- Whoever is not busy with a suspect may try the next.
  local more = suspect and redis.call('EXISTS', space.sus) == 1
  if held < want and not space.woken and not more then
    redis.call('DEL', space.wake)
  elseif not space.woken and (more or redis.call('EXISTS', space.ring, space.ringh) > 0) then
    redis.call('ZADD', space.wake, '0', '1')
  end
end
if settles > 0 or held > 0 then
  redis.call('SET', memo_key, cmsgpack.pack({ request_id, settled, granted }), 'PX', whole(math.max(300000, lease_ms * 2)))
end
return { settled, leases, due }
