"""Mutations of the design: each drops one rule that the promises rest on, and the simulation has to notice.

Those of Python code change its text, so that it is the shipped function that is broken, in one place.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec

from contract import keys
from contract.link import Link
from producers.spool.lane import Lane
from simulation import publisher, scripts, theatre
from simulation.patches import Patch
from simulation.redis_model import RedisModel
from worker.flush.aftermath import Aftermath
from worker.store import dirty, retired

Model = scripts.Model


def _rewritten(module: ModuleType, name: str, old: str, new: str) -> Patch:
    """A function of a module with one piece of its text replaced."""
    text = inspect.getsource(getattr(module, name))
    if text.count(old) != 1:
        raise LookupError(f"{module.__name__}.{name} has no single {old!r} any more: mend simulation/mutations.py")
    scope: dict[str, Any] = dict(vars(module))
    exec(text.replace(old, new), scope)  # noqa: S102  # our own source
    return module, name, scope[name]


def _offset_unchecked() -> list[Patch]:
    def commit(redis: RedisModel, keys: list[str], args: list[bytes]) -> int | list[int]:
        stored = (redis.get(keys[0], dict) or {}).get(b"offset", b"0-0")
        return scripts.commit(redis, keys, [stored, *args[1:]])

    return [_script("commit", commit)]


def _watermark_off_by_one() -> list[Patch]:
    # The package has a function of the module's name, which hides it.
    return [_rewritten(importlib.import_module("worker.fold.fold"), "_first_time", "number <= mark", "number < mark")]


def _worker_trusts_old_connection() -> list[Patch]:
    return [(theatre, "silent_links", ("runtally-consume",))]


def _publisher_trusts_old_connection() -> list[Patch]:
    return [(theatre, "silent_links", ("runtally-publisher",))]


def _batch_overtakes() -> list[Patch]:
    def rewind(self: publisher.PublisherModel) -> None:
        for lane in self.lanes.values():
            lane.sent = 0
            lane.batches.rotate(-1)  # the one that was refused or lost has to wait for those behind it

    def rewind_lane(self: Lane) -> None:
        self.sent = 0
        self.front.rotate(-1)

    return [(publisher.PublisherModel, "rewind", rewind), (Lane, "rewind", rewind_lane)]


def _version_uncompared() -> list[Patch]:
    def sent(redis: RedisModel, keys: list[str], args: list[bytes]) -> int:
        version = (redis.get(keys[0], dict) or {}).get(b"v", args[1])
        return scripts.sent(redis, keys, [args[0], version, *args[2:]])

    return [_script("sent", sent)]


def _clean_before_written() -> list[Patch]:
    claim = dirty.claim

    def clean_at_once(link: Link, refs: list[dirty.RowRef], wait_s: float) -> list[int]:
        waits_ms = claim(link, refs, wait_s)
        link.pipeline([("ZREM", keys.dirty(ref.partition), ref.row_id) for ref in refs])
        return waits_ms

    return [(dirty, "claim", clean_at_once)]


def _no_aftermath() -> list[Patch]:
    return [(Aftermath, "look", lambda _: None)]


def _rows_unlooked_for() -> list[Patch]:
    def commit(redis: RedisModel, keys: list[str], args: list[bytes]) -> int | list[int]:
        changes = msgspec.msgpack.encode(msgspec.msgpack.decode(args[3]) | {"there": 0})
        return scripts.commit(redis, keys, [*args[:3], changes, *args[4:]])

    return [_script("commit", commit)]


def _retired_unasked() -> list[Patch]:
    return [(retired, "told", lambda *_: {})]


def _script(name: str, model: Model) -> Patch:
    return scripts, "MODELS", {**scripts.MODELS, name: model}


MUTATIONS: dict[str, Callable[[], list[Patch]]] = {
    "offset-unchecked": _offset_unchecked,
    "watermark-off-by-one": _watermark_off_by_one,
    "worker-trusts-old-connection": _worker_trusts_old_connection,
    "publisher-trusts-old-connection": _publisher_trusts_old_connection,
    "batch-overtakes": _batch_overtakes,
    "version-uncompared": _version_uncompared,
    "clean-before-written": _clean_before_written,
    "no-aftermath": _no_aftermath,
    "rows-unlooked-for": _rows_unlooked_for,
    "retired-unasked": _retired_unasked,
}
"""Name -> the patches that make it."""

FOCUS = {"no-aftermath": "flush", "rows-unlooked-for": "retire", "retired-unasked": "retire"}
"""What is to go wrong most often for a mutation to be noticed soon; all for those not named."""
