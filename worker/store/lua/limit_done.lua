#!lua flags=allow-oom
-- limit_done: say that the answer to a request was seen, so that its place is free a little later.
-- KEYS[1] ZSET request token -> ms when its place is free.
-- ARGV[1] request token; ARGV[2] ms from now until the place is free.
-- Returns 1, or 0 when the place is no longer held (nothing is written).  O(log places).  Safe to retry: it frees the place later.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
redis.call('ZADD', KEYS[1], now + ARGV[2] + 1, ARGV[1])
return 1
