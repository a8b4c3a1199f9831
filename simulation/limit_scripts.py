"""The scripts of limiter, wire and circuit breaker as Python; see scripts.py."""

from __future__ import annotations

from simulation.redis_model import Args, Hash, Keys, RedisModel, Zset, new_hash, text_at


def limit_take(redis: RedisModel, keys: Keys, args: Args) -> int:
    ticket, places, span_ms = args[0], int(args[1]), int(args[2])
    now = redis.now_ms()
    if ticket in (redis.get(keys[0], Zset) or ()):
        return 0
    if text_at(redis, keys[1]) is not None:
        return redis.ends_ms[keys[1]] - now + 1
    held = redis.change(keys[0], Zset)
    for token, until in list(held.items()):
        if until > now + span_ms:
            held[token] = float(now + span_ms)
        elif until <= now:
            del held[token]
    if len(held) >= places:
        return max(1, int(min(held.values())) - now)
    held[ticket] = float(now + span_ms)
    redis.expire(keys[0], span_ms * 2)
    for key in keys[2:]:
        counters = redis.change(key, new_hash)
        counters[b"calls"] = b"%d" % (int(counters.get(b"calls", 0)) + 1)
    return 0


def wire_take(redis: RedisModel, keys: Keys, args: Args) -> int:
    ticket, longest_ms, turn_ms = args
    holder, first = text_at(redis, keys[0]), text_at(redis, keys[1])
    if holder == ticket:
        return 1
    if holder is not None or first not in (None, ticket):
        if first in (None, ticket):
            redis.put(keys[1], ticket)
            redis.expire(keys[1], int(turn_ms))
        return 0
    redis.delete(keys[1])
    redis.put(keys[0], ticket)
    redis.expire(keys[0], int(longest_ms))
    return 1


def breaker_tell(redis: RedisModel, keys: Keys, args: Args) -> int:
    kind, after, first_ms, most_ms = args[0], int(args[1]), int(args[2]), int(args[3])
    told: Hash = redis.get(keys[0], dict) or {}
    if not kind:
        redis.delete(keys[0])
        redis.delete(keys[1])
        return 2 * (b"opened_ms" in told)
    if text_at(redis, keys[1]) is not None:
        return 0
    breaker: Hash = redis.change(keys[0], new_hash)
    redis.expire(keys[0], 86_400_000)
    opens, span_ms = 0, int(breaker.get(b"span_ms", 0))
    if span_ms > 0:
        span_ms = min(2 * span_ms, most_ms)
    else:
        breaker[kind] = b"%d" % (int(breaker.get(kind, 0)) + 1)
        if int(breaker[kind]) < after:
            return 0
        breaker[b"opened_ms"] = b"%d" % redis.now_ms()
        opens, span_ms = 1, min(first_ms, most_ms)
    breaker[b"span_ms"], breaker[b"kind"] = b"%d" % span_ms, kind
    redis.put(keys[1], kind)
    redis.expire(keys[1], span_ms)
    return opens


def limit_done(redis: RedisModel, keys: Keys, args: Args) -> int:
    if args[0] not in (redis.get(keys[0], Zset) or ()):
        return 0
    redis.change(keys[0], Zset)[args[0]] = float(redis.now_ms() + int(args[1]) + 1)
    return 1


def limit_close(redis: RedisModel, keys: Keys, args: Args) -> int:
    now, span_ms = redis.now_ms(), int(args[0])
    if text_at(redis, keys[0]) is not None and redis.ends_ms[keys[0]] - now >= span_ms:
        return redis.ends_ms[keys[0]] - now
    redis.put(keys[0], b"%d" % (now + span_ms))
    redis.expire(keys[0], span_ms)
    return span_ms
