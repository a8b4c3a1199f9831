"""What is put in the place of the outside world: clocks, links, Airtable, chance. Everything else is the code as it is shipped."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import producers.publish.sender
import worker.consume
import worker.flush.calls
import worker.flush.flusher
import worker.flush.turn
import worker.store.lease
import worker.sweep
from simulation import real_publisher, theatre
from simulation.link import SimulatedLink
from simulation.simulated_airtable import SimulatedAirtable

Patch = tuple[object, str, object]


class _Clock:
    """In the place of the module `time`."""

    @staticmethod
    def monotonic() -> float:
        return theatre.world().now_s

    time = monotonic

    @staticmethod
    def sleep(span_s: float) -> None:
        theatre.world().pause(span_s)


class _Secrets:
    """In the place of the module `secrets`: tokens that are the same in each run of a seed."""

    @staticmethod
    def token_hex(size: int) -> str:
        return f"{theatre.world().rng.getrandbits(32):0{2 * size}x}"


class _NoLog:
    """In the place of a logger."""

    def __call__(self) -> _NoLog:
        return self

    def __getattr__(self, _: str) -> Any:
        return lambda *_args, **_kwargs: None


def _standing() -> list[Patch]:
    """Clock, chance and log of every module of the worker that has them, and the ways to the outside."""
    stand_ins: list[tuple[str, object, object]] = [("time", time, _Clock), ("secrets", secrets, _Secrets)]
    patches: list[Patch] = []
    for name, module in sorted(sys.modules.items()):
        if name.startswith(("worker.", "contract.", "producers.")):
            patches += [(module, word, ours) for word, theirs, ours in stand_ins if vars(module).get(word) is theirs]
            if vars(module).get("monotonic") is time.monotonic:
                patches.append((module, "monotonic", _Clock.monotonic))
            if "_log" in vars(module):
                patches.append((module, "_log", _NoLog()))
    return [
        *patches,
        (worker.store.lease, "_now_s", _Clock.monotonic),
        (worker.flush.calls, "_jittered", lambda _: theatre.world().rng.random()),
        (worker.flush.turn, "_SLICE_S", 5.0),
        (worker.consume, "Link", SimulatedLink),
        (producers.publish.sender, "Link", SimulatedLink),
        real_publisher.QUIET,
        real_publisher.LONELY,
        # Small, so that a few events already take several reads and commits.
        (worker.consume, "READ_ENTRIES", 3),
        (worker.consume, "COMMIT_EVENTS", 4),
        (worker.flush.flusher, "Airtable", SimulatedAirtable),
    ]


STANDING: list[Patch] = _standing()
"""What holds for every schedule."""


@contextmanager
def patched(patches: list[Patch]) -> Iterator[None]:
    """These attributes have these values meanwhile."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in patches]
    try:
        for owner, name, value in patches:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in reversed(before):
            setattr(owner, name, value)
