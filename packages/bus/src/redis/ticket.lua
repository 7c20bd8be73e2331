#!lua flags=allow-oom
-- Puts a call ticket at the tail of a mailbox, renews it, or says that it has come to the head; or takes it back.
-- ARGV[3..] conversation, ticket, holder, ttl ms, mode (try, wait, cancel), limits (1 or 0)
-- Returns the fence as a string once the conversation is leased to it, else 0 waiting, 1 busy.
--- include shared/base.lua
--- include shared/ready.lua
--- include shared/append.lua
--- include shared/lease.lua
local space = space_of(ARGV[2])
local conv, ticket, holder, ttl, mode = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
limits_on = ARGV[8] == '1'
local q, tickets = space.q .. conv, root .. 'tk'
local text = TICKET .. ttl .. ':' .. holder .. ':' .. ticket
if mode == 'cancel' then
  redis.call('HDEL', tickets, ticket)
  local c = load_conv(space, conv)
  if has(c.flags, GRANTED) and redis.call('LINDEX', q, 0) == text then
    redis.call('LPOP', q)
    end_lease(space, c)
    make_ready(space, c, redis.call('LLEN', q))
  elseif redis.call('LREM', q, 1, text) == 1 and redis.call('EXISTS', q) == 0 then
    -- It waited for a time, with nobody but this one in line.
    make_ready(space, c, 0)
  end
  finish()
  return 0
end
promote(space, tonumber(ttl))
local c = load_conv(space, conv)
local answer = 0
if has(c.flags, GRANTED) and redis.call('LINDEX', q, 0) == text then
  answer = whole(c.fence)
elseif redis.call('HEXISTS', tickets, ticket) == 1 then
  redis.call('HSET', tickets, ticket, whole(now + tonumber(ttl)))
else
  local length = redis.call('LLEN', q)
  if length > 0 and mode == 'try' then
    answer = 1
  else
    redis.call('HSET', tickets, ticket, whole(now + tonumber(ttl)))
    redis.call('RPUSH', q, text)
    if not has(c.flags, TICKETS) then
      c.flags = c.flags + TICKETS
    end
    touch(space, c)
    if length == 0 then
      make_ready(space, c, 1)
      answer = whole(c.fence)
    end
  end
end
finish()
return answer
