#!lua flags=allow-oom
-- lock_release: give a lock back, if it is still its holder's.
-- KEYS[1] HASH lock.  KEYS[2] ZSET locks held.
-- ARGV[1] token.
-- Returns 1, or 0 when the lock is gone or another's (nothing is written).  O(log locks).  Safe to retry: a repeat returns 0.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], KEYS[1])
return 1
