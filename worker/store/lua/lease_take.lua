#!lua flags=allow-oom
-- lease_take: become the owner of a lease that nobody has. It may run at maxmemory: what frees memory needs a lease.
-- KEYS[1] STRING owner token.
-- ARGV[1] token; ARGV[2] time to live, ms.
-- Returns 1, or 0 when it has an owner, be it this one (nothing is written).  O(1).  Safe to retry: lease_renew tells whose it is.
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return 1
end
return 0
