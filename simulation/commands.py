"""Redis' commands on the model: just those that Runtally sends. Replies have the form that hiredis gives (RESP2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from simulation.redis_model import Hash, RedisModel, Stream, Zset, new_hash
from simulation.scripts import run_script, script_name

Args = list[bytes]

__all__ = ["entry_id", "run", "script_name"]


def run(redis: RedisModel, command: Sequence[str | bytes | int | float]) -> tuple[Any, bool]:
    """The reply to one command, and whether it wrote."""
    verb, *rest = [part if isinstance(part, bytes) else str(part).encode() for part in command]
    name = verb.decode()
    if name in {"EVALSHA", "EVAL"}:
        number = int(rest[1])
        reply = run_script(redis, name, rest[0], [key.decode() for key in rest[2 : 2 + number]], rest[2 + number :])
    else:
        known = _VERBS.get(name)
        if known is None:
            raise NotImplementedError(f"simulation/commands.py has no model of {name}")
        reply = known(redis, rest[0].decode() if rest else "", rest[1:])
    return reply, redis.wrote()


def entry_id(text: bytes, missing: int = 0) -> tuple[int, int]:
    """`<ms>-<n>` as numbers; without `-<n>` it is `missing`."""
    ms, _, number = text.partition(b"-")
    return int(ms), int(number) if number else missing


def _shown(position: tuple[int, int]) -> bytes:
    return b"%d-%d" % position


def _hget(redis: RedisModel, key: str, args: Args) -> bytes | None:
    return (redis.get(key, dict) or {}).get(args[0])


def _hmget(redis: RedisModel, key: str, args: Args) -> list[bytes | None]:
    found: Hash = redis.get(key, dict) or {}
    return [found.get(field) for field in args]


def _hgetall(redis: RedisModel, key: str, _: Args) -> list[bytes]:
    found: Hash = redis.get(key, dict) or {}
    return [part for pair in found.items() for part in pair]


def _hset(redis: RedisModel, key: str, args: Args) -> int:
    target = redis.change(key, new_hash)
    new = sum(field not in target for field in args[::2])
    target.update(zip(args[::2], args[1::2], strict=True))
    return new


def _hsetnx(redis: RedisModel, key: str, args: Args) -> int:
    if args[0] in (redis.get(key, dict) or {}):
        return 0
    return _hset(redis, key, args)


def _hdel(redis: RedisModel, key: str, args: Args) -> int:
    target = redis.change(key, new_hash)
    return sum(target.pop(field, None) is not None for field in args)


def _hincrby(redis: RedisModel, key: str, args: Args) -> int:
    target = redis.change(key, new_hash)
    target[args[0]] = b"%d" % (int(target.get(args[0], 0)) + int(args[1]))
    return int(target[args[0]])


def _xadd(redis: RedisModel, key: str, args: Args) -> bytes:
    """XADD key [MAXLEN ~ n] * field value …: at the clock, or just after the last ID when the clock is not beyond it."""
    if args[0] == b"MAXLEN":
        args = args[3:]
    assert args[0] == b"*"
    stream = redis.change(key, Stream)
    now = redis.stamp_ms()
    stream.last = (now, 0) if now > stream.last[0] else (stream.last[0], stream.last[1] + 1)
    stream.entries.append((stream.last, args[1:]))
    return _shown(stream.last)


def _xrange(redis: RedisModel, key: str, args: Args) -> list[list[Any]]:
    assert args[1] == b"+"
    open_start = args[0].startswith(b"(")
    start = (0, 0) if args[0] == b"-" else entry_id(args[0].lstrip(b"("))
    stream = redis.get(key, Stream) or Stream()
    found = [entry for entry in stream.entries if entry[0] > start or (entry[0] == start and not open_start)]
    most = int(args[3]) if len(args) > 2 else len(found)
    return [[_shown(position), fields] for position, fields in found[:most]]


def _xrevrange(redis: RedisModel, key: str, args: Args) -> list[list[Any]]:
    assert args[:2] == [b"+", b"-"]
    stream = redis.get(key, Stream) or Stream()
    return [[_shown(position), fields] for position, fields in stream.entries[::-1][: int(args[3])]]


def _xlen(redis: RedisModel, key: str, _: Args) -> int:
    return len((redis.get(key, Stream) or Stream()).entries)


def _zadd(redis: RedisModel, key: str, args: Args) -> int:
    target = redis.change(key, Zset)
    flag = args[0] if args[0] in {b"NX", b"GT"} else b""
    pairs = args[1:] if flag else args
    new = 0
    for text, member in zip(pairs[::2], pairs[1::2], strict=True):
        score = float(text)
        new += member not in target
        if member not in target or not flag or (flag == b"GT" and score > target[member]):
            target[member] = score
    return new


def _zcard(redis: RedisModel, key: str, _: Args) -> int:
    return len(redis.get(key, Zset) or ())


def _zrangebyscore(redis: RedisModel, key: str, args: Args) -> list[bytes]:
    """ZRANGEBYSCORE key low high [WITHSCORES] [LIMIT 0 n]"""
    target = redis.get(key, Zset) or Zset()
    found = target.between(float(args[0]), float(args[1]))
    if b"LIMIT" in args:
        found = found[: int(args[args.index(b"LIMIT") + 2])]
    if b"WITHSCORES" in args:
        return [part for name in found for part in (name, b"%d" % target[name])]
    return found


def _zrange(redis: RedisModel, key: str, args: Args) -> list[bytes]:
    """ZRANGE key low high BYSCORE [LIMIT from n] [WITHSCORES]; an open bound begins with `(`."""
    assert args[2] == b"BYSCORE"
    target = redis.get(key, Zset) or Zset()
    high = float(args[1].lstrip(b"("))
    found = [name for name in target.between(float(args[0]), high) if target[name] < high or not args[1].startswith(b"(")]
    if b"LIMIT" in args:
        begin, most = (int(arg) for arg in args[args.index(b"LIMIT") + 1 :][:2])
        found = found[begin : begin + most]
    if b"WITHSCORES" in args:
        return [part for name in found for part in (name, b"%d" % target[name])]
    return found


def _zremrangebyscore(redis: RedisModel, key: str, args: Args) -> int:
    """ZREMRANGEBYSCORE key low (high"""
    assert args[1].startswith(b"(")
    high = float(args[1][1:])
    target = redis.get(key, Zset) or Zset()
    return _zrem(redis, key, [name for name in target.between(float(args[0]), high) if target[name] < high])


def _zremrangebyrank(redis: RedisModel, key: str, args: Args) -> int:
    """ZREMRANGEBYRANK key 0 -n"""
    assert args[0] == b"0"
    target = redis.get(key, Zset) or Zset()
    return _zrem(redis, key, target.between(float("-inf"), float("inf"))[: len(target) + 1 + int(args[1])])


def _zmscore(redis: RedisModel, key: str, args: Args) -> list[bytes | None]:
    target = redis.get(key, Zset) or Zset()
    return [b"%d" % target[member] if member in target else None for member in args]


def _zrem(redis: RedisModel, key: str, args: Args) -> int:
    target = redis.change(key, Zset)
    return sum(target.pop(member, None) is not None for member in args)


def _smembers(redis: RedisModel, key: str, _: Args) -> list[bytes]:
    return sorted(redis.get(key, set) or ())


def _smismember(redis: RedisModel, key: str, args: Args) -> list[int]:
    found = redis.get(key, set) or set()
    return [int(member in found) for member in args]


def _set(redis: RedisModel, key: str, args: Args) -> bytes:
    redis.put(key, args[0])
    if len(args) > 1:
        assert args[1] == b"PX"
        redis.expire(key, int(args[2]))
    return b"OK"


def _del(redis: RedisModel, key: str, args: Args) -> int:
    names = [key, *(name.decode() for name in args)]
    there = sum(redis.get(name, object) is not None for name in names)
    for name in names:
        redis.delete(name)
    return there


def _info(redis: RedisModel, section: str, _: Args) -> bytes:
    """INFO server, INFO replication: only what tells one life from another."""
    return b"# Server\r\nrun_id:%d\r\n" % redis.life if section == "server" else b"# Replication\r\nrole:master\r\n"


def _pttl(redis: RedisModel, key: str, _: Args) -> int:
    if redis.get(key, object) is None:
        return -2
    return redis.ends_ms[key] - redis.now_ms() if key in redis.ends_ms else -1


def _expire(redis: RedisModel, key: str, args: Args) -> int:
    redis.expire(key, int(args[0]) * 1000)
    return int(redis.get(key, object) is not None)


def _time(redis: RedisModel, _: str, __: Args) -> list[bytes]:
    ms = redis.now_ms()
    return [b"%d" % (ms // 1000), b"%d" % (ms % 1000 * 1000)]


_VERBS: dict[str, Callable[[RedisModel, str, Args], Any]] = {
    "HGET": _hget,
    "HMGET": _hmget,
    "HGETALL": _hgetall,
    "HSET": _hset,
    "HSETNX": _hsetnx,
    "HDEL": _hdel,
    "HINCRBY": _hincrby,
    "XADD": _xadd,
    "XRANGE": _xrange,
    "XREVRANGE": _xrevrange,
    "XLEN": _xlen,
    "ZADD": _zadd,
    "ZCARD": _zcard,
    "ZRANGEBYSCORE": _zrangebyscore,
    "ZRANGE": _zrange,
    "ZREMRANGEBYSCORE": _zremrangebyscore,
    "ZREMRANGEBYRANK": _zremrangebyrank,
    "ZMSCORE": _zmscore,
    "ZREM": _zrem,
    "SMEMBERS": _smembers,
    "SMISMEMBER": _smismember,
    "SET": _set,
    "DEL": _del,
    "PTTL": _pttl,
    "EXPIRE": _expire,
    "TIME": _time,
    "INFO": _info,
}
