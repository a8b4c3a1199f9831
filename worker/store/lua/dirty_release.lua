#!lua flags=allow-oom
-- dirty_release: end a row's wait, if it is the one that was claimed by whoever asks.
-- KEYS[1] ZSET dirty.
-- ARGV[1] row ID; ARGV[2] ms from which it may be written, as dirty_claim returned it.
-- Returns 1 when it may be written now, 0 when it is clean, or waits for somebody else's request.  O(log dirty).  Safe to retry.
local from = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not from or tonumber(from) ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[1], 'XX', 0, ARGV[1])
return 1
