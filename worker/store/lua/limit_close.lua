#!lua flags=allow-oom
-- limit_close: let nobody send to a base for a while, after it said that it had too many requests.
-- KEYS[1] STRING ms until which the base is closed.
-- ARGV[1] ms from now.
-- Returns the ms for which the base is closed now; a longer time is not shortened.  O(1).  Safe to retry.
local left = redis.call('PTTL', KEYS[1])
if left >= tonumber(ARGV[1]) then
  return left
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], now + ARGV[1], 'PX', ARGV[1])
return tonumber(ARGV[1])
