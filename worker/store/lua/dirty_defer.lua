#!lua flags=allow-oom
-- dirty_defer: keep a row dirty and let nobody write it for a while.
-- KEYS[1] ZSET dirty.
-- ARGV[1] row ID; ARGV[2] ms from now.
-- Returns the ms from which it may be written.  O(log dirty).  Safe to retry: it waits a little longer.
local time = redis.call('TIME')
local from = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
redis.call('ZADD', KEYS[1], from, ARGV[1])
return from
