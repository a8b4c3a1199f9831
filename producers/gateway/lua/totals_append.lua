#!lua
-- totals_append: append an event that tells totals, unless the log has later ones of the same row and metric.
-- KEYS[1] STREAM log of the row's partition.  KEYS[2] ZSET metric -> time of the newest total of the row.
-- ARGV[1] batch; ARGV[2] when the event happened, us since the epoch; ARGV[3] time to live of the ZSET, s; ARGV[4..] metrics.
-- Returns the metrics of which the log has later totals: with any, nothing is written.  O(metrics).  Safe to retry: the event has
-- an ID, so that its second entry counts nothing.
local outdated = {}
for n = 4, #ARGV do
  local newest = redis.call('ZSCORE', KEYS[2], ARGV[n])
  if newest and tonumber(newest) > tonumber(ARGV[2]) then
    outdated[#outdated + 1] = ARGV[n]
  end
end
if #outdated == 0 then
  redis.call('XADD', KEYS[1], '*', 'batch', ARGV[1])
  for n = 4, #ARGV do
    redis.call('ZADD', KEYS[2], ARGV[2], ARGV[n])
  end
  redis.call('EXPIRE', KEYS[2], ARGV[3])
end
return outdated
