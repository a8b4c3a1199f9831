#!lua flags=allow-oom
-- wire_take: become the one request that is on its way to a base. Who asks in vain goes next, so that senders take turns.
-- KEYS[1] STRING ticket of the request on its way.  KEYS[2] STRING ticket of the request that goes next.
-- ARGV[1] ticket; ARGV[2] ms after which the request is over if nobody says so; ARGV[3] ms for which a turn is kept.
-- Returns 1, or 0 when another is on its way or goes first: ask again within ARGV[3].  O(1).
-- Safe to retry with the same ticket: it stays the one.
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  return 1
end
local first = redis.call('GET', KEYS[2])
if holder or (first and first ~= ARGV[1]) then
  if not first or first == ARGV[1] then
    redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
  end
  return 0
end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
