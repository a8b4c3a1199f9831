#!lua flags=allow-oom
-- limit_take: take one of the places in which a request to a base may be sent.
-- KEYS[1] ZSET request token -> ms when its place is free.  KEYS[2] STRING, exists while the base is closed.
-- KEYS[3] HASH counters.  KEYS[4] HASH this month (calls).
-- ARGV[1] request token; ARGV[2] number of places; ARGV[3] ms after which the place is free if nobody says more.
-- ARGV[4] most calls of this month, '' for any number; ARGV[5] s to keep the month's hash.
-- Returns 0 when the place is taken, else the ms to wait before asking again (at least 1; nothing is taken), or -1 when the month's
-- calls are spent.  O(places).
-- Safe to retry with the same token: it keeps its place and counts as one call.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
if ARGV[4] ~= '' and tonumber(redis.call('HGET', KEYS[4], 'calls') or '0') >= tonumber(ARGV[4]) then
  return -1
end
local closed = redis.call('PTTL', KEYS[2])
if closed >= 0 then
  return closed + 1
end
-- After a failover to a clock that is behind, places would stay taken for the difference: none is held longer than ARGV[3].
for _, token in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now + ARGV[3], '+inf')) do
  redis.call('ZADD', KEYS[1], now + ARGV[3], token)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return math.max(1, first[2] - now)
end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3] * 2)
redis.call('HINCRBY', KEYS[3], 'calls', 1)
redis.call('HINCRBY', KEYS[4], 'calls', 1)
redis.call('EXPIRE', KEYS[4], ARGV[5])
return 0
