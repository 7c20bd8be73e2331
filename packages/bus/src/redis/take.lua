#!lua flags=allow-oom
-- Leases further messages. ARGV[3..] conversation, fence, messages held already, messages wanted
-- Returns the envelopes, or -1 when the lease was lost. A request that came twice gets the same ones.
--- include shared/base.lua
--- include shared/ready.lua
--- include shared/append.lua
local space = space_of(ARGV[2])
local have, max = tonumber(ARGV[5]), tonumber(ARGV[6])
local c = load_conv(space, ARGV[3])
if c.fence == 0 or c.fence ~= tonumber(ARGV[4]) then
  return -1
end
if c.redeliveries > c.leased then
  return {}
end
local given = {}
for _, body in ipairs(redis.call('LRANGE', space.q .. c.key, have, have + max - 1)) do
  if string.sub(body, 1, 1) == TICKET then
    break
  end
  given[#given + 1] = body
end
if have + #given > c.leased then
  c.leased = have + #given
  save_conv(space, c)
end
return given
