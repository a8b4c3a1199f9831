#!lua flags=allow-oom
-- commit: store what one fold changed, if nobody committed since it read.
-- It may run at maxmemory, because it is what lets the log be trimmed: a full Redis must drain.
-- KEYS[1] HASH partition state (offset, counters).  KEYS[2] HASH watermarks.  KEYS[3] ZSET publishers.  KEYS[4] ZSET runs.
-- KEYS[5] ZSET dirty.  KEYS[6] STREAM dead letters.  KEYS[7] ZSET open rows.  KEYS[8...] first the HASH of each row, those that must be there
-- before those that are new, then the SET of remembered IDs of each bucket, then the SET of clients of each run, in the order of ARGV[4];
-- then, for each row that says 'aside', the key to which is moved what stands in its place.
-- ARGV[1] offset read from.  ARGV[2] offset folded up to.  ARGV[3] ms when the last entry was received.
-- ARGV[4] changes, msgpack: {rows={{row_id, {field, text, ...}, ms of its last sign of life or '',
--   'dirty' or '', 'aside' or ''}, ...}, there=how many of the rows must be there, marks={publisher, seq, ...}, ids={{ttl_s, digest, ...}, ...},
--   clients={{client, ...}, ...}, runs={ms, run, ...}, letters={{kind, reason, origin, letter}, ...}, counts={name, n, ...}}.
-- ARGV[5] most dead letters kept.
-- Returns 1; 0 when the offset had moved; -1 when a row is gone that was read before; or an array with the numbers of the KEYS that are of
-- another type than they have to be: of a row that says 'aside', when there is nothing to be moved (in all these cases nothing is written).
-- O(changes).  Safe to retry: a repeat returns 0.

-- A failed script does not roll back, so all that could fail is looked at before the first write. Asking for the length costs less than TYPE.
local wrong = {}
local function must_have(length, number)
  if type(redis.pcall(length, KEYS[number])) == 'table' then
    wrong[#wrong + 1] = number
  end
end
must_have('HLEN', 1)
if #wrong > 0 then
  return wrong
end
local stored = redis.call('HGET', KEYS[1], 'offset') or '0-0'
if stored ~= ARGV[1] then
  return 0
end

local changes = cmsgpack.unpack(ARGV[4])
for number, length in ipairs({false, 'HLEN', 'ZCARD', 'ZCARD', 'ZCARD', 'XLEN', 'ZCARD'}) do
  if length then
    must_have(length, number)
  end
end
local key = 7
for _, row in ipairs(changes.rows) do
  key = key + 1
  if row[5] == '' then
    must_have('HLEN', key)
  else
    local kind = redis.call('TYPE', KEYS[key]).ok
    if kind == 'hash' or kind == 'none' then
      wrong[#wrong + 1] = key
    end
  end
end
for _ = 1, #changes.ids + #changes.clients do
  key = key + 1
  must_have('SCARD', key)
end
if #wrong > 0 then
  return wrong
end

-- What was folded into a row that is gone would be a row of the latest events alone.
for from = 8, changes.there + 7, 7000 do
  local to = math.min(from + 6999, changes.there + 7)
  if redis.call('EXISTS', unpack(KEYS, from, to)) ~= to - from + 1 then
    return -1
  end
end

-- Lua's stack holds about 8,000 values: longer lists go in pieces of an even number of values.
local function each_piece(values, first, call)
  for from = first, #values, 7000 do
    call(unpack(values, from, math.min(from + 6999, #values)))
  end
end

redis.call('HSET', KEYS[1], 'offset', ARGV[2], 'folded_ms', ARGV[3])
for i = 1, #changes.counts, 2 do
  if type(redis.pcall('HINCRBY', KEYS[1], changes.counts[i], changes.counts[i + 1])) == 'table' then
    -- No number stood there, or it would be too large.
    redis.call('HSET', KEYS[1], changes.counts[i], changes.counts[i + 1])
  end
end

local aside = key
key = 7
-- Members of the indexes are gathered: one command for each would make the script, and the append-only file, a quarter longer.
local open, closed, dirty = {}, {}, {}
for _, row in ipairs(changes.rows) do
  key = key + 1
  if row[5] ~= '' then
    aside = aside + 1
    redis.call('RENAME', KEYS[key], KEYS[aside])
  end
  redis.call('HSET', KEYS[key], unpack(row[2]))
  if row[3] == '' then
    closed[#closed + 1] = row[1]
  else
    open[#open + 1] = row[3]
    open[#open + 1] = row[1]
  end
  if row[4] ~= '' then
    dirty[#dirty + 1] = 0
    dirty[#dirty + 1] = row[1]
  end
end
each_piece(closed, 1, function(...) redis.call('ZREM', KEYS[7], ...) end)
each_piece(open, 1, function(...) redis.call('ZADD', KEYS[7], ...) end)
-- NX: a row that waits for an unclear write to settle goes on waiting.
each_piece(dirty, 1, function(...) redis.call('ZADD', KEYS[5], 'NX', ...) end)
for _, digests in ipairs(changes.ids) do
  key = key + 1
  each_piece(digests, 2, function(...) redis.call('SADD', KEYS[key], ...) end)
  redis.call('EXPIRE', KEYS[key], digests[1])
end
for _, clients in ipairs(changes.clients) do
  key = key + 1
  each_piece(clients, 1, function(...) redis.call('SADD', KEYS[key], ...) end)
end

each_piece(changes.marks, 1, function(...) redis.call('HSET', KEYS[2], ...) end)
for i = 1, #changes.marks, 2 do
  redis.call('ZADD', KEYS[3], ARGV[3], changes.marks[i])
end
each_piece(changes.runs, 1, function(...) redis.call('ZADD', KEYS[4], ...) end)
if #changes.letters > 0 then
  local kept = redis.call('XLEN', KEYS[6])
  for _, letter in ipairs(changes.letters) do
    -- A stream whose IDs are used up refuses: its letters count as dropped.
    redis.pcall('XADD', KEYS[6], 'MAXLEN', '~', ARGV[5], '*', 'kind', letter[1], 'reason', letter[2], 'origin', letter[3], 'letter', letter[4])
  end
  local dropped = kept + #changes.letters - redis.call('XLEN', KEYS[6])
  if dropped > 0 then
    redis.pcall('HINCRBY', KEYS[1], 'dead_dropped', dropped)
  end
end
return 1
