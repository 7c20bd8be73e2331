-- What every script begins with.
-- KEYS[1]  the partition: every key begins with it, and with its hash tag. Conversations are chosen inside a script, so
--          their keys cannot be listed; all are in the slot of KEYS[1].
-- ARGV[1]  empty, or the time in milliseconds: only tests send one, the time is otherwise the server's own.
-- ARGV[2]  the space.
--
-- Keys of a space: q:<conversation> LIST of envelopes and tickets; m HASH conversation -> lease; due ZSET of what waits
-- for
-- a time: c<conversation> (leases, delays; parked: +inf), s<conversation>\n<id> (scheduled), p<lane><tenant> (tenants
-- that
-- must not be served yet); ring, ringh LIST of tenants with ready conversations; r:<tenant>, rh:<tenant> LIST of these;
-- mo HASH conversation -> holder that wants to know of more; sb HASH of scheduled envelopes; wake ZSET of one marker;
-- cnt HASH of kept counts: depth (messages in mailboxes), leased (conversations on lease), parked (tenants in due);
-- sus ZSET of conversations that wait for a trial: see trial.lua. Of the partition: hc HASH holder -> its leases, and
-- holder! -> 1 when several were lost at once; tr HASH holder -> 1 while it has a conversation on trial.
local root = KEYS[1]
local now, micros
if ARGV[1] == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
  micros = time[1] * 1000000 + time[2]
else
  now = tonumber(ARGV[1])
  micros = now * 1000
end
local TICKET = '\1'
local HIGH, TICKETS, GRANTED, WATCHED, TRIAL = 1, 2, 4, 8, 16
local spaces = {}
local function space_of(name)
  local space = spaces[name]
  if not space then
    local p = root .. name .. ':'
    space = {
      name = name, p = p, q = p .. 'q:', m = p .. 'm', due = p .. 'due', ring = p .. 'ring', ringh = p .. 'ringh',
      r = p .. 'r:', rh = p .. 'rh:', mo = p .. 'mo', wake = p .. 'wake', cnt = p .. 'cnt', sus = p .. 'sus',
      convs = {}, due_at = {}, lines = {}, order = {}, woken = false, changes = { depth = 0, leased = 0, parked = 0 },
    }
    spaces[name] = space
  end
  return space
end
-- A whole number as Redis takes it. A Lua number as an argument would be printed as a double, which takes as long as
-- the command.
local function whole(number)
  return string.format('%d', number)
end
-- Counts are gathered and written together, at the end of the script. A count of zero has no field.
local function count(space, what, change)
  space.changes[what] = space.changes[what] + change
end
local function flush_counts(space)
  for what, change in pairs(space.changes) do
    if change ~= 0 then
      space.changes[what] = 0
      if redis.call('HINCRBY', space.cnt, what, whole(change)) == 0 then
        redis.call('HDEL', space.cnt, what)
      end
    end
  end
end
local function has(flags, flag)
  return flags % (flag * 2) >= flag
end
