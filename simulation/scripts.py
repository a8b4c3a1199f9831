"""The Lua scripts as Python, with the contracts that their headers give. Found by the digest of the text in worker/store/lua.

tests/simulation compares each with its script on a real server: one that changes has to be changed here too.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1
from pathlib import Path
from typing import Any

import msgspec

import worker.store
from simulation.limit_scripts import breaker_tell, limit_close, limit_done, limit_take, wire_take
from simulation.redis_model import Args, Hash, Keys, RedisModel, Stream, Zset, new_hash, text_at

_FOLDER = Path(worker.store.__file__).parent / "lua"


def script_files() -> list[Path]:
    """The scripts as they are shipped."""
    return sorted(_FOLDER.glob("*.lua"))


_NAMES = {sha1(path.read_bytes(), usedforsecurity=False).hexdigest().encode(): path.stem for path in script_files()}
_unpack = msgspec.msgpack.Decoder().decode


def run_script(redis: RedisModel, verb: str, script: bytes, keys: Keys, args: Args) -> Any:
    """What the script returns. `script`: its digest, for this model never forgets one."""
    assert verb == "EVALSHA"
    name = _NAMES.get(script, "")
    if name not in MODELS:
        raise NotImplementedError(f"simulation/scripts.py has no model of {name or script!r}")
    return MODELS[name](redis, keys, args)


def script_name(digest: str) -> str:
    """The script that has this digest."""
    return _NAMES.get(digest.encode(), digest)


def commit(redis: RedisModel, keys: Keys, args: Args) -> int | list[int]:
    changes = _unpack(args[3])
    refusal = _refusal(redis, keys, args, changes)
    if refusal is not None:
        return refusal
    state = redis.change(keys[0], new_hash)
    state[b"offset"], state[b"folded_ms"] = args[1], args[2]
    for name, count in _pairs(changes["counts"]):
        before = state.get(name, b"0")
        state[name] = b"%d" % ((int(before) if before.isdigit() else 0) + int(count))
    rest = iter(keys[7:])
    asides = iter(keys[7 + len(changes["rows"]) + len(changes["ids"]) + len(changes["clients"]) :])
    dirty, open_rows = redis.change(keys[4], Zset), redis.change(keys[6], Zset)
    for row_id, fields, seen_ms, mark, aside in changes["rows"]:
        key, member = next(rest), row_id.encode()
        if aside:
            redis.put(next(asides), redis.get(key, object))
            redis.delete(key)
        redis.change(key, new_hash).update(_pairs(fields))
        if seen_ms == "":
            open_rows.pop(member, None)
        else:
            open_rows[member] = float(seen_ms)
        if mark:
            dirty.setdefault(member, 0.0)
    for ttl_s, *digests in changes["ids"]:
        key = next(rest)
        redis.change(key, set).update(digest.encode() for digest in digests)
        redis.expire(key, int(ttl_s) * 1000)
    for clients in changes["clients"]:
        key = next(rest)
        redis.change(key, set).update(client.encode() for client in clients)
    redis.change(keys[1], new_hash).update(_pairs(changes["marks"]))
    for publisher, _ in _pairs(changes["marks"]):
        redis.change(keys[2], Zset)[publisher] = float(args[2])
    for ms, run in _pairs(changes["runs"]):
        redis.change(keys[3], Zset)[run] = float(ms)
    for letter in changes["letters"]:
        dead = redis.change(keys[5], Stream)
        dead.last = (dead.last[0], dead.last[1] + 1)
        dead.entries.append((dead.last, [part.encode() for part in letter]))
    return 1


def _refusal(redis: RedisModel, keys: Keys, args: Args, changes: Any) -> int | list[int] | None:
    """What commit returns when it writes nothing; else None."""
    if not _is(redis, keys[0], dict):
        return [1]
    stored = (redis.get(keys[0], dict) or {}).get(b"offset", b"0-0")
    if stored != args[0]:
        return 0
    gone = any(redis.get(key, object) is None for key in keys[7 : 7 + changes["there"]])
    return _wrong(redis, keys, changes) or (-1 if gone else None)


def _wrong(redis: RedisModel, keys: Keys, changes: Any) -> list[int]:
    """The numbers of the keys that are not of the type they have to be."""
    rows = len(changes["rows"])
    kinds = [dict, dict, Zset, Zset, Zset, Stream, Zset, *[dict] * rows, *[set] * (len(changes["ids"]) + len(changes["clients"]))]
    wrong = {n for n, (key, kind) in enumerate(zip(keys, kinds, strict=False), 1) if not _is(redis, key, kind)}
    for n, (*_, aside) in enumerate(changes["rows"], 8):
        if aside:
            wrong ^= {n}
    return sorted(wrong)


def _is(redis: RedisModel, key: str, kind: type) -> bool:
    """Whether a key is of that type, or not there. A Zset is a dict as well."""
    found = redis.get(key, object)
    return found is None or type(found) is kind


def _pairs(flat: list[str]) -> list[tuple[bytes, bytes]]:
    texts = [text.encode() for text in flat]
    return list(zip(texts[::2], texts[1::2], strict=True))


def sent(redis: RedisModel, keys: Keys, args: Args) -> int:
    row_id, version, record = args
    if redis.get(keys[0], object) is None:
        redis.change(keys[1], Zset).pop(row_id, None)
        return -1
    row: Hash = redis.change(keys[0], new_hash) if _is(redis, keys[0], dict) else {}
    if record and row:
        row[b"record"], row[b"sent_v"], row[b"sent_ms"] = record, version, b"%d" % redis.now_ms()
    if row.get(b"v", b"") != version or (redis.get(keys[1], Zset) or Zset()).get(row_id, 0.0) != 0.0:
        return 0
    redis.change(keys[1], Zset).pop(row_id, None)
    return 1


def retire(redis: RedisModel, keys: Keys, args: Args) -> int:
    run, until_ms, written, *row_ids = args
    heard = (redis.get(keys[0], Zset) or Zset()).get(run)
    if heard is None or heard > float(until_ms) or not _is(redis, keys[4], set) or len(redis.get(keys[4], set) or ()) != len(keys) - 6:
        return 0
    for index in (keys[2], *([keys[3]] if written else [])):
        if not set(row_ids).isdisjoint(redis.get(index, Zset) or ()):
            return 0
    rows: list[Hash] = [redis.get(key, dict) or {} for key in keys[5:] if _is(redis, key, dict)]
    if any(int(row.get(b"sent_ms", 0)) > int(until_ms) for row in rows):
        return 0
    redis.change(keys[1], Zset)[run] = float(redis.now_ms())
    del redis.change(keys[0], Zset)[run]
    for row_id in row_ids:
        redis.change(keys[3], Zset).pop(row_id, None)
    for key in keys[4:]:
        redis.delete(key)
    return 1


def dirty_claim(redis: RedisModel, keys: Keys, args: Args) -> int:
    if (redis.get(keys[0], Zset) or Zset()).get(args[0], 0.0) > redis.now_ms():
        return 0
    wait_until = redis.now_ms() + int(args[1])
    redis.change(keys[0], Zset)[args[0]] = float(wait_until)
    return wait_until


def dirty_defer(redis: RedisModel, keys: Keys, args: Args) -> int:
    marks = redis.change(keys[0], Zset)
    stands, wait_until = marks.get(args[0], 0.0), float(redis.now_ms() + int(args[1]))
    marks[args[0]] = wait_until if stands == float(args[2]) else max(wait_until, stands + 1)
    return int(marks[args[0]])


def dirty_release(redis: RedisModel, keys: Keys, args: Args) -> int:
    if (redis.get(keys[0], Zset) or Zset()).get(args[0]) != float(args[1]):
        return 0
    redis.change(keys[0], Zset)[args[0]] = 0.0
    return 1


def dirty_mark(redis: RedisModel, keys: Keys, args: Args) -> int:
    if redis.get(keys[0], object) is None:
        return 0
    marks = redis.change(keys[1], Zset)
    marks[args[0]] = marks.get(args[0], 0.0) + 1
    return 1


def lease_take(redis: RedisModel, keys: Keys, args: Args) -> int:
    if text_at(redis, keys[0]) is not None:
        return 0
    redis.put(keys[0], args[0])
    redis.expire(keys[0], int(args[1]))
    return 1


def lease_renew(redis: RedisModel, keys: Keys, args: Args) -> int:
    if text_at(redis, keys[0]) != args[0]:
        return 0
    redis.expire(keys[0], int(args[1]))
    return 1


def lease_release(redis: RedisModel, keys: Keys, args: Args) -> int:
    if text_at(redis, keys[0]) != args[0]:
        return 0
    redis.delete(keys[0])
    return 1


Model = Callable[[RedisModel, Keys, Args], int | list[int]]

MODELS: dict[str, Model] = {
    model.__name__: model
    for model in (
        commit,
        sent,
        retire,
        dirty_claim,
        dirty_defer,
        dirty_release,
        dirty_mark,
        lease_take,
        lease_renew,
        lease_release,
        limit_take,
        limit_done,
        limit_close,
        wire_take,
        breaker_tell,
    )
}
"""Script name -> its model. Mutations replace some."""
