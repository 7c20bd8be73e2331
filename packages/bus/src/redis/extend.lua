#!lua flags=allow-oom
-- Renews leases. ARGV[3..] lease ms, limits (1 or 0); then for each lease: conversation, fence
-- Returns for each 1 held, 0 lost.
--- include shared/base.lua
--- include shared/ready.lua
--- include shared/append.lua
--- include shared/lease.lua
local space = space_of(ARGV[2])
local deadline = now + tonumber(ARGV[3])
limits_on = ARGV[4] == '1'
local held = {}
for i = 5, #ARGV, 2 do
  local conv = ARGV[i]
  local c = load_conv(space, conv)
  local mine = c.fence > 0 and c.fence == tonumber(ARGV[i + 1])
  held[#held + 1] = mine and 1 or 0
  if mine then
    set_due(space, c, deadline)
    count_lease(space, conv, deadline)
  end
end
flush(space)
-- Holders with long turns claim nothing meanwhile, and are known for as long as they extend.
if #held > 0 then
  redis.call('PEXPIRE', root .. 'hc', whole(HOLDERS_MS))
end
return held
