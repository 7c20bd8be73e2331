-- One write of a store, whole or not at all. It reads a plan, checks everything first and only then changes anything.
--
-- KEYS[1] is the thread's revision; the others are what the plan's steps speak of, by number. Values pass through as
-- they
-- are: no document is decoded and no number is printed here.
--
-- ARGV[1] is the revision at which the plan was made, or empty. Then follow steps, each a letter and its arguments:
--   C key field is value        a condition on a row that must exist; is one of = <> <=
--   X key                       a row that must not exist
--   F key field                 a field that must not exist
--   U key field value n         when the row exists and its field is not the value, leave out the next n steps
--   E key n                     when the row does not exist, leave out the next n steps
--   H key n field value ...     set n fields
--   T key field n text          set a field of lines; lines after the nth that it has stay
--   V key field number          set a number, unless a greater one is there
--   Z key score member          put into an index
--   R key member                take out of an index
--   S key member                put into a set
--   D key                       delete a key
--   L key milliseconds          let a key expire
--   P channel message           tell
--   G key n field ...           give these fields back
-- Answers: {'ok', fields...}, {'moved'} for another revision, {'unmet'} for a condition, {'taken'} for a row in the
-- way.

local NARGS = { T = 4, V = 3, C = 4, X = 1, F = 2, U = 4, E = 2, Z = 3, R = 2, S = 2, P = 2, D = 1, L = 2 }
local CHUNK = 1000

local function size(at)
  local letter = ARGV[at]
  if letter == 'H' then return 3 + 2 * tonumber(ARGV[at + 2]) end
  if letter == 'G' then return 3 + tonumber(ARGV[at + 2]) end
  return 1 + NARGS[letter]
end

local function key(at)
  return KEYS[tonumber(ARGV[at])]
end

local function after_line(text, n)
  local at = 0
  for _ = 1, n do
    at = string.find(text, '\n', at + 1, true)
    if not at then return '' end
  end
  return string.sub(text, at)
end

local function holds(kept, is, value)
  if not kept then return false end
  if is == '=' then return kept == value end
  if is == '<>' then return kept ~= value end
  local left, right = tonumber(kept), tonumber(value)
  return left ~= nil and right ~= nil and left <= right
end

if ARGV[1] ~= '' and (redis.call('GET', KEYS[1]) or '0') ~= ARGV[1] then return { 'moved' } end

-- What a later step leaves out depends on the state before the write, so it is decided here, too.
local skipped = {}
local at = 2
local leave = 0
while at <= #ARGV do
  local letter = ARGV[at]
  if leave > 0 then
    leave = leave - 1
    skipped[at] = true
  elseif letter == 'C' then
    if not holds(redis.call('HGET', key(at + 1), ARGV[at + 2]), ARGV[at + 3], ARGV[at + 4]) then return { 'unmet' } end
  elseif letter == 'X' then
    if redis.call('EXISTS', key(at + 1)) == 1 then return { 'taken' } end
  elseif letter == 'F' then
    if redis.call('HEXISTS', key(at + 1), ARGV[at + 2]) == 1 then return { 'taken' } end
  elseif letter == 'U' then
    local kept = redis.call('HGET', key(at + 1), ARGV[at + 2])
    if kept and kept ~= ARGV[at + 3] then leave = tonumber(ARGV[at + 4]) end
  elseif letter == 'E' then
    if redis.call('EXISTS', key(at + 1)) == 0 then leave = tonumber(ARGV[at + 2]) end
  end
  at = at + size(at)
end

redis.call('INCR', KEYS[1])
local answer = { 'ok' }
at = 2
while at <= #ARGV do
  local letter = ARGV[at]
  if not skipped[at] then
    if letter == 'H' then
      local last = at + 2 + 2 * tonumber(ARGV[at + 2])
      local from = at + 3
      while from <= last do
        local to = math.min(from + 2 * CHUNK - 1, last)
        redis.call('HSET', key(at + 1), unpack(ARGV, from, to))
        from = to + 1
      end
    elseif letter == 'T' then
      local kept = redis.call('HGET', key(at + 1), ARGV[at + 2])
      local rest = kept and after_line(kept, tonumber(ARGV[at + 3])) or ''
      redis.call('HSET', key(at + 1), ARGV[at + 2], ARGV[at + 4] .. rest)
    elseif letter == 'V' then
      local kept = tonumber(redis.call('HGET', key(at + 1), ARGV[at + 2]) or '')
      if not kept or kept < tonumber(ARGV[at + 3]) then redis.call('HSET', key(at + 1), ARGV[at + 2], ARGV[at + 3]) end
    elseif letter == 'Z' then
      redis.call('ZADD', key(at + 1), ARGV[at + 2], ARGV[at + 3])
    elseif letter == 'R' then
      redis.call('ZREM', key(at + 1), ARGV[at + 2])
    elseif letter == 'S' then
      redis.call('SADD', key(at + 1), ARGV[at + 2])
    elseif letter == 'D' then
      redis.call('UNLINK', key(at + 1))
    elseif letter == 'L' then
      redis.call('PEXPIRE', key(at + 1), ARGV[at + 2])
    elseif letter == 'P' then
      redis.call('PUBLISH', ARGV[at + 1], ARGV[at + 2])
    elseif letter == 'G' then
      for i = 1, tonumber(ARGV[at + 2]) do
        answer[#answer + 1] = redis.call('HGET', key(at + 1), ARGV[at + 2 + i]) or ''
      end
    end
  end
  at = at + size(at)
end
return answer
