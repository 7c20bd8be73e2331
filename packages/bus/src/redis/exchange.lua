-- Settles leases and leases more, in one step.
-- ARGV[3..] exchanger, request id, holder, want, messages of each, lease ms, window ms, dead letters kept, limits (1 or 0),
--           number of settles; then the settles: see shared/settle.lua
-- Returns { results of the settles, { conversation, fence, attempt, { envelopes } } for each lease, ms until something is due }.
--- include shared/base.lua
--- include shared/ready.lua
--- include shared/append.lua
--- include shared/lease.lua
--- include shared/settle.lua
--- include shared/serve.lua
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
    local leases = {}
    for _, lease in ipairs(memo[3]) do
      local c = load_conv(space, lease[1])
      if c.fence == lease[2] then
        -- The asker counts its lease from the request that it has the answer to.
        set_due(space, c, space.deadline)
        count_lease(space, lease[1], space.deadline)
        leases[#leases + 1] = { lease[1], string.format('%.0f', lease[2]), lease[3], redis.call('LRANGE', space.q .. lease[1], 0, lease[4] - 1) }
      end
    end
    flush(space)
    return { memo[2], leases, want > #leases and next_due(space) or -1 }
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
local leases, granted, due = {}, {}, -1
if want > 0 then
  promote(space)
  flush_ready(space)
  local taken = serve(space, want)
  prefetch(space, taken)
  for _, conv in ipairs(taken) do
    local c = load_conv(space, conv)
    local bodies = redis.call('LRANGE', space.q .. conv, 0, (c.suspects > 0 and 1 or per) - 1)
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
      leases[#leases + 1] = { conv, string.format('%.0f', c.fence), c.attempts, bodies }
      granted[#granted + 1] = { conv, c.fence, c.attempts, #bodies }
    end
  end
  space.woken = false
end
finish()
if want > 0 then
  due = #leases < want and next_due(space) or -1
  if #leases < want and not space.woken then
    redis.call('DEL', space.wake)
  elseif not space.woken and redis.call('EXISTS', space.ring, space.ringh) > 0 then
    redis.call('ZADD', space.wake, 0, '1')
  end
end
if settles > 0 or #granted > 0 then
  redis.call('SET', memo_key, cmsgpack.pack({ request_id, settled, granted }), 'PX', math.max(300000, lease_ms * 2))
end
return { settled, leases, due }
