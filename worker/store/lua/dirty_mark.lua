#!lua flags=allow-oom
-- dirty_mark: make a row dirty that may have been cleaned, or is just being written.
-- KEYS[1] HASH row.  KEYS[2] ZSET dirty.
-- ARGV[1] row ID.
-- Returns 1 when the row is dirty now, 0 when there is no such row (nothing is written). A wait it is under stands.
-- O(log dirty).  Safe to retry.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
-- One ms more, so that whoever has claimed the row does not release or clean it.
redis.call('ZINCRBY', KEYS[2], 1, ARGV[1])
return 1
