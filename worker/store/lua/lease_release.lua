#!lua flags=allow-oom
-- lease_release: give a lease back, if it is still its owner's.
-- KEYS[1] STRING owner token.
-- ARGV[1] token.
-- Returns 1, or 0 when the lease is gone or another's (nothing is written).  O(1).  Safe to retry.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
return 1
