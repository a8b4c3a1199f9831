#!lua flags=allow-oom
-- lock_take: become the holder of a lock that nobody holds. It may run at maxmemory: a full Redis must not stop the jobs.
-- KEYS[1] HASH lock.  KEYS[2] ZSET locks held.  KEYS[3] STRING last fencing number.
-- ARGV[1] token; ARGV[2] time to live, ms; ARGV[3...] who takes it: field, text, field, text, ...
-- Returns {1, fencing number}, or, when another holds it, {0, ms until it ends, ms since it was taken, run, host, pid}
-- (nothing is written; '' for what is not known).  O(locks that have ended).  Safe to retry with the same token: its
-- time begins anew, its fencing number stays.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'token', 'fence', 'since_ms', 'run', 'host', 'pid')
if held[1] and held[1] ~= ARGV[1] then
  return {0, redis.call('PTTL', KEYS[1]), math.max(0, now - held[3]), held[4] or '', held[5] or '', held[6] or ''}
end
local fence = tonumber(held[2])
if not fence then
  -- Not a plain count: it must grow also after Redis was emptied, or whoever remembers the last number refuses all to come.
  fence = math.max((tonumber(redis.call('GET', KEYS[3])) or 0) + 1, now)
  redis.call('SET', KEYS[3], string.format('%.0f', fence))
  redis.call('HSET', KEYS[1], 'token', ARGV[1], 'fence', string.format('%.0f', fence), 'since_ms', string.format('%.0f', now), unpack(ARGV, 3))
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + ARGV[2], KEYS[1])
return {1, fence}
