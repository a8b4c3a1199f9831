#!lua flags=allow-oom
-- breaker_tell: tell a circuit breaker what became of a request.
-- KEYS[1] HASH breaker (failures in a row by kind, opened_ms, span_ms, kind).  KEYS[2] STRING, exists while it is open.
-- ARGV[1] kind of failure, '' for an answer; ARGV[2] failures of one kind in a row that open it; ARGV[3] ms that it is open at first;
-- ARGV[4] ms that it is open at most: after each probe that fails it is open twice as long.
-- Returns 1 when this opened it, 2 when this closed it, 0 for neither.  O(1).
-- Unsafe to retry: a failure counts twice, so that it opens the sooner. No row depends on it.
if ARGV[1] == '' then
  local opened = redis.call('HEXISTS', KEYS[1], 'opened_ms')
  redis.call('DEL', KEYS[1], KEYS[2])
  return opened * 2
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 0
end
local opens = 0
local span = tonumber(redis.call('HGET', KEYS[1], 'span_ms') or '0')
if span > 0 then
  span = math.min(2 * span, tonumber(ARGV[4]))
else
  if redis.call('HINCRBY', KEYS[1], ARGV[1], 1) < tonumber(ARGV[2]) then
    redis.call('EXPIRE', KEYS[1], 86400)
    return 0
  end
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'opened_ms', time[1] * 1000 + math.floor(time[2] / 1000))
  span = math.min(tonumber(ARGV[3]), tonumber(ARGV[4]))
  opens = 1
end
redis.call('HSET', KEYS[1], 'span_ms', span, 'kind', ARGV[1])
redis.call('EXPIRE', KEYS[1], 86400)
redis.call('SET', KEYS[2], ARGV[1], 'PX', span)
return opens
