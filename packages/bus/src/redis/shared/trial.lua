-- After a crash nobody knows which of the conversations that the process held is to blame. They wait as suspects: in due,
-- until they go out like any other, and in sus, most crashes first. Until then a holder gets one of them at a time, on
-- trial. When it crashes again, the one on trial counts the attempt, and the others beside it do not.
local function try_suspect(space, holder)
  if redis.call('EXISTS', space.sus) == 0 or redis.call('HEXISTS', root .. 'tr', holder) == 1 then
    return nil
  end
  for _, conv in ipairs(redis.call('ZRANGE', space.sus, 0, 15)) do
    local c = load_conv(space, conv)
    local at = space.due_at[conv]
    if at == nil then
      at = redis.call('ZSCORE', space.due, 'c' .. conv)
    end
    if not at or c.crashes == 0 or c.leased > 0 or c.parked ~= '' then
      -- An older version, or an operator, let it out.
      redis.call('ZREM', space.sus, conv)
    else
      local tenant = limits_on and tenant_of(conv)
      local limits = tenant and limits_of(tenant)
      if not limits or may_lease_one(space, tenant, limits) then
        redis.call('ZREM', space.sus, conv)
        redis.call('HSET', root .. 'tr', holder, '1')
        redis.call('PEXPIRE', root .. 'tr', whole(HOLDERS_MS))
        c.flags = c.flags + TRIAL
        if limits and limits.cap then
          redis.call('ZADD', space.p .. 'l:' .. tenant, whole(space.deadline), conv)
        end
        return conv
      end
    end
  end
  return nil
end
