#!lua flags=allow-oom
-- sent: note that a version of a row is in Airtable, and that it is clean if it has not changed since.
-- KEYS[1] HASH row (or what stands in its place).  KEYS[2] ZSET dirty.
-- ARGV[1] row ID; ARGV[2] version written; ARGV[3] Airtable record ID, '' when it was not written (refused).
-- Returns 1 when the row is clean, 0 when it changed meanwhile, or somebody had a word about it, and stays dirty, -1 when there is
-- no such row (its mark is taken away).  O(log dirty).  Safe to retry.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return -1
end
local mark = redis.call('ZSCORE', KEYS[2], ARGV[1])
local version = redis.pcall('HGET', KEYS[1], 'v')
if type(version) == 'table' then
  -- No hash: it has no version, and takes no record ID.
  version = ''
elseif ARGV[3] ~= '' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', KEYS[1], 'record', ARGV[3], 'sent_v', ARGV[2], 'sent_ms', now)
end
-- A mark that is not 0 is a wait for somebody else's request, or a word that this writing may not have heeded.
if (version or '') ~= ARGV[2] or (mark and tonumber(mark) ~= 0) then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
