#!lua flags=allow-oom
-- lock_renew: prolong a lock, if it is still its holder's.
-- KEYS[1] HASH lock.  KEYS[2] ZSET locks held.
-- ARGV[1] token; ARGV[2] time to live, ms.
-- Returns 1, or 0 when the lock is gone or another's (nothing is written).  O(log locks).  Safe to retry.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[2], KEYS[1])
return 1
