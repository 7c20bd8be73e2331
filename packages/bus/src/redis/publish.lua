-- Puts messages at the tails of their mailboxes.
-- ARGV[3..] backlog, drop oldest (1 or 0), window ms, dead letters kept, touch (1: write something in any case, so that
--           WAIT has something to wait for), claims (1: the publisher claims right behind this, so that nobody
--           need be woken); then for each message: conversation, duplicate digest, id, envelope, delay ms,
--           flags (1 interrupt, 2 high)
-- Returns for each message 0 accepted, 1 duplicate, 2 full.
--- include shared/base.lua
--- include shared/ready.lua
--- include shared/append.lua
local space = space_of(ARGV[2])
local limits = { backlog = tonumber(ARGV[3]), drop = ARGV[4] == '1', window = tonumber(ARGV[5]), max_dead = ARGV[6] }
local statuses = {}
for i = 9, #ARGV, 6 do
  statuses[#statuses + 1] = publish_one(space, ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5]), limits)
end
if ARGV[8] == '1' then
  flush_ready(space)
else
  mark_wake(space)
end
flush_counts(space)
if ARGV[7] == '1' then
  redis.call('SET', root .. 'touch', '', 'PX', 60000)
end
return statuses
