-- Who holds how many leases of the partition. Changes are gathered and written at the end of the script, so that a holder
-- that settles as many as it claims costs nothing.
local HOLDERS_MS = 3600000
local holder_changes = {}
local function lease_began(space, holder)
  count(space, 'leased', 1)
  holder_changes[holder] = (holder_changes[holder] or 0) + 1
end
local function lease_ended(space, c)
  count(space, 'leased', -1)
  holder_changes[c.holder] = (holder_changes[c.holder] or 0) - 1
  if has(c.flags, TRIAL) then
    c.flags = c.flags - TRIAL
    redis.call('HDEL', root .. 'tr', c.holder)
  end
end
-- Whether a lease that ran out was its holder's only one. Where several are lost, so is the last of them not alone.
local function held_alone(holder)
  local stored = redis.call('HMGET', root .. 'hc', holder, holder .. '!')
  if stored[2] then
    return false
  end
  if tonumber(stored[1] or '0') + (holder_changes[holder] or 0) <= 1 then
    return true
  end
  redis.call('HSET', root .. 'hc', holder .. '!', '1')
  return false
end
local function flush_holders()
  for holder, change in pairs(holder_changes) do
    if change ~= 0 then
      local leases = redis.call('HINCRBY', root .. 'hc', holder, whole(change))
      if leases <= 0 then
        redis.call('HDEL', root .. 'hc', holder, holder .. '!')
      elseif leases == change then
        redis.call('PEXPIRE', root .. 'hc', whole(HOLDERS_MS))
      end
    end
  end
  holder_changes = {}
end
