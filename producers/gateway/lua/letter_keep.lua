-- letter_keep: keep a dead letter of a webhook, unless it was kept before.
-- KEYS[1] STREAM of the letters.  KEYS[2] HASH counters.  KEYS[3] STRING mark that this one was kept.
-- ARGV[1] most letters.  ARGV[2] s for which the mark stands.  ARGV[3] reason.  ARGV[4] origin, JSON.  ARGV[5] what was set aside.
-- Returns 1, or 0 when it was kept before (nothing is written).  O(1), and what the bound drops.  Safe to retry.
if redis.call('EXISTS', KEYS[3]) == 1 then
  return 0
end
local before = redis.call('XLEN', KEYS[1])
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'kind', 'webhook', 'reason', ARGV[3], 'origin', ARGV[4], 'letter', ARGV[5])
local dropped = before + 1 - redis.call('XLEN', KEYS[1])
if dropped > 0 then
  redis.call('HINCRBY', KEYS[2], 'dead_dropped', dropped)
end
redis.call('SET', KEYS[3], '', 'EX', ARGV[2])
return 1
