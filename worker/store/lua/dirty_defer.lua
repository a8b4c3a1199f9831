#!lua flags=allow-oom
-- dirty_defer: make a row dirty and let nobody write it for a while. Nobody else's wait gets shorter by it.
-- KEYS[1] ZSET dirty.
-- ARGV[1] row ID; ARGV[2] ms from now; ARGV[3] ms from which it may be written, as dirty_claim returned it to whoever asks.
-- Returns the ms from which it may be written.  O(log dirty).  Safe to retry: it waits a little longer.
local time = redis.call('TIME')
local from = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
local stands = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
if stands ~= tonumber(ARGV[3]) then
  -- Beyond the wait that stands, so that whoever has claimed the row now does not release or clean it.
  from = math.max(from, stands + 1)
end
redis.call('ZADD', KEYS[1], from, ARGV[1])
return from
