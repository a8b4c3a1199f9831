#!lua flags=allow-oom
-- dirty_claim: let nobody else write a row while a request with it may land, unless it waits for somebody else's request already.
-- KEYS[1] ZSET dirty.
-- ARGV[1] row ID; ARGV[2] ms from now.
-- Returns the ms from which it may be written again; 0 when it may not be written now (nothing is written).
-- O(log dirty).  Not safe to retry: a repeat within the wait returns 0.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0) > now then
  return 0
end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
return now + ARGV[2]
