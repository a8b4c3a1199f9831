#!lua flags=allow-oom
-- retire: delete the rows of a run that have had their time, all of them at once, and remember that it had some.
-- It may run at maxmemory, because it frees memory.
-- KEYS[1] ZSET runs.  KEYS[2] ZSET retired runs.  KEYS[3] ZSET open rows.  KEYS[4] ZSET dirty.  KEYS[5] SET clients of the run.
-- KEYS[6...] HASH the job's row, then the row of each client.
-- ARGV[1] base run ID; ARGV[2] ms: rows heard of or written later are kept; ARGV[3] '1' to keep rows that wait for Airtable, '' where none is
-- ever written; ARGV[4...] row IDs, in the order of KEYS[6...].
-- Returns 1 when the run is retired, 0 when it is kept, has other clients than those named, or no set of them (nothing is written).
-- O(rows * log(rows of the partition)).  Safe to retry: a repeat returns 0.
local heard = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not heard or tonumber(heard) > tonumber(ARGV[2]) or redis.pcall('SCARD', KEYS[5]) ~= #KEYS - 6 then
  return 0
end

-- Lua's stack holds about 8,000 values: longer lists go in pieces.
local function each_piece_of_row_ids(call)
  for from = 4, #ARGV, 7000 do
    call(unpack(ARGV, from, math.min(from + 6999, #ARGV)))
  end
end

local kept = false
local function keep_members_of(key)
  each_piece_of_row_ids(function(...)
    for _, score in ipairs(redis.call('ZMSCORE', key, ...)) do
      kept = kept or score
    end
  end)
end
keep_members_of(KEYS[3])
if ARGV[3] ~= '' then
  keep_members_of(KEYS[4])
end
for i = 6, #KEYS do
  -- Not `call`: a key of another type has no such field, and goes with the rest. So does one in which somebody wrote no number.
  local sent = redis.pcall('HGET', KEYS[i], 'sent_ms')
  kept = kept or (type(sent) == 'string' and (tonumber(sent) or 0) > tonumber(ARGV[2]))
end
if kept then
  return 0
end

local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
each_piece_of_row_ids(function(...) redis.call('ZREM', KEYS[4], ...) end)
for i = 5, #KEYS do
  redis.call('UNLINK', KEYS[i])
end
return 1
