"""The models of the Lua scripts answer and leave behind what the scripts themselves do, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
import pytest

from contract.link import Link
from simulation.redis_model import RedisModel, Stream, new_hash
from simulation.scripts import MODELS, script_files
from worker.store.scripts import Script

FAR_MS = 10_000_000
"""Spans so long that none ends in the test; what they become is compared to within SLACK_MS."""

SLACK_MS = 60_000
KEY = [f"rt:{{t}}:{name}" for name in "abcdefghij"]


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


def commit(rng: Random) -> tuple[list[str], list[Any]]:
    fields = ["v", str(rng.randrange(9)), "state", "x"]
    rows = [(f"row{n}", fields, rng.choice(["", "7"]), rng.choice(["", "dirty"]), rng.choice(["", "", "aside"])) for n in range(2)]
    changes = {
        "rows": rows,
        "there": rng.randrange(3),
        "marks": ["p1", "3", "p2", str(rng.randrange(9))],
        "ids": [[FAR_MS // 1000, "digest"]],
        "clients": [["a", "b"]],
        "runs": ["5", "run"],
        "letters": [],
        "counts": ["events", "2"],
    }
    names = ["state", "marks", "publishers", "runs", "dirty", "dead", "open", "row0", "row1", "ids", "clients"]
    names += [f"aside{row[0]}" for row in rows if row[4]]
    offset = rng.choice(["0-0", "1-1", "2-2"])
    return [f"rt:{{c}}:{name}" for name in names], [offset, rng.choice(["1-1", "2-2"]), "9", msgspec.msgpack.encode(changes), 10]


def retire(rng: Random) -> tuple[list[str], list[Any]]:
    """Of the run that `commit` makes, with its clients, or with one too few."""
    clients = rng.choice([["row0", "row1"], ["row0", "row1"], ["row1"]])
    names = ["runs", "retired", "open", "dirty", "clients", "job", *clients]
    until_ms = rng.choice([4, 5, 10**15])
    return [f"rt:{{c}}:{name}" for name in names], ["run", until_ms, rng.choice(["", "1"]), "run", *clients]


def arguments(name: str, rng: Random) -> tuple[list[str], list[Any]]:
    """Keys and arguments of one call, so few that calls meet."""
    token, other = rng.choice(["t1", "t2"]), rng.choice(["t1", "t2", "t3"])
    row = f"row{rng.randrange(3)}"
    calls: dict[str, tuple[list[str], list[Any]]] = {
        "commit": commit(rng),
        "sent": (["rt:{c}:row0", "rt:{c}:dirty"], ["row0", rng.randrange(9), rng.choice(["", "rec1"])]),
        "retire": retire(rng),
        "dirty_defer": (["rt:{c}:dirty"], [row, FAR_MS, rng.choice([0, 7])]),
        "dirty_claim": (["rt:{c}:dirty"], [row, FAR_MS]),
        "dirty_release": (["rt:{c}:dirty"], [row, rng.choice([0, 7])]),
        "dirty_mark": ([f"rt:{{c}}:{row}", "rt:{c}:dirty"], [row]),
        "lease_take": ([KEY[0]], [token, FAR_MS]),
        "lease_renew": ([KEY[0]], [token, FAR_MS]),
        "lease_release": ([KEY[0]], [token]),
        "limit_take": ([KEY[1], KEY[2], KEY[3], KEY[4]], [other, 2, FAR_MS, "", 1000]),
        "limit_done": ([KEY[1]], [other, FAR_MS]),
        "limit_close": ([KEY[2]], [FAR_MS * rng.choice([1, 2])]),
        "wire_take": ([KEY[5], KEY[6]], [other, FAR_MS, FAR_MS]),
        "breaker_tell": ([KEY[7], KEY[8]], [rng.choice(["", "unclear", "busy"]), 3, FAR_MS, 2 * FAR_MS]),
    }
    return calls[name]


def alike(ours: object, theirs: object) -> bool:
    """Equal, but for what the test took where they are moments or long spans."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(alike(value, theirs[name]) for name, value in ours.items())
    try:
        mine, other = float(ours), float(theirs)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ours == theirs
    return abs(mine - other) < (SLACK_MS if mine > FAR_MS / 2 else 1e-6)


def on_server(link: Link, key: str) -> object:
    kind = link.call("TYPE", key)
    read = {b"hash": ["HGETALL"], b"set": ["SMEMBERS"], b"zset": ["ZRANGE", 0, -1, "WITHSCORES"], b"string": ["GET"]}.get(kind)
    if read is None:
        return None
    found = link.call(read[0], key, *read[1:])
    if kind == b"string":
        return found
    return sorted(found) if kind == b"set" else dict(zip(found[::2], found[1::2], strict=True))


def in_model(redis: RedisModel, key: str) -> object:
    found = redis.get(key, object)
    if isinstance(found, Stream) or not found:
        return None
    return sorted(found) if isinstance(found, set) else found


def spoil(link: Link, redis: RedisModel, rng: Random) -> str:
    """Write past Runtally: another type in the place of a key, or a word in the place of a counter. The key."""
    key = f"rt:{{c}}:{rng.choice(['row0', 'row1', 'ids', 'clients', 'state'])}"
    if key.endswith("state"):
        link.call("HSET", key, "events", "many")
        redis.change(key, new_hash)[b"events"] = b"many"
    elif rng.random() < 0.5:
        link.call("DEL", key)
        redis.delete(key)
    else:
        link.call("SET", key, "a word")
        redis.put(key, b"a word")
    return key


OURS = sorted(set(MODELS) & {path.stem for path in script_files()})


@pytest.mark.parametrize("seed", range(4))
def test_each_model_does_what_its_script_does(link: Link, seed: int) -> None:
    rng = Random(seed)  # noqa: S311  # repeatable on purpose
    seconds, micros = link.call("TIME")
    redis = RedisModel(lambda: int(seconds) + int(micros) / 1e6, 1)
    touched: dict[str, None] = {}
    for step in range(120):
        if step % 5 == 4:
            touched[spoil(link, redis, rng)] = None
        name = rng.choice(OURS)
        names, args = arguments(name, rng)
        touched |= dict.fromkeys(names)
        texts = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in args]
        expected, told = Script(name).run(link, names, args), MODELS[name](redis, names, texts)
        redis.wrote()
        assert alike(told, expected), f"step {step}: {name} {args}"
        for key in touched:
            assert alike(in_model(redis, key), on_server(link, key)), f"step {step}: {key} after {name} {args}"
