#!lua flags=allow-oom
-- lease_renew: prolong a lease, if it is still its owner's.
-- KEYS[1] STRING owner token.
-- ARGV[1] token; ARGV[2] time to live, ms.
-- Returns 1, or 0 when the lease is gone or another's (nothing is written).  O(1).  Safe to retry.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
