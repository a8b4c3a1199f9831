#!lua flags=allow-oom
-- move_aside: move what stands at a key away, if it is of another type than it has to be there.
-- KEYS[1] any type.  KEYS[2] any type, where it is moved to; what is there is replaced.
-- ARGV[1] type that it has to be, as TYPE names it.
-- Returns the type that was moved, or '' when there is nothing, or nothing wrong (nothing is written).  O(1).  Safe to retry.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' or kind == ARGV[1] then
  return ''
end
redis.call('RENAME', KEYS[1], KEYS[2])
return kind
