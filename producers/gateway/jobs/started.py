"""What the gateways know together of a job that was started or completed through one of them. Kept in Redis, beside the log.

Every verb raises StoreUnavailable and StoreRefused, and is safe to repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from contract import keys
from contract.errors import StoreRefused
from contract.link import Command, Link
from producers.exclusive.scope import Scope


class Phase(StrEnum):
    """How far a start has come. Until `STARTED` its repeat does all of it again; from then on, nothing."""

    STARTING = ""
    STARTED = "started"
    DONE = "done"


class Start(msgspec.Struct, frozen=True):
    """What was asked for. `digest`: of the whole request, to tell a repeat from another start under the same name."""

    digest: str
    operation: str
    stream: int | None = None
    client: str | None = None
    exclusive: bool = True

    @property
    def scope(self) -> Scope:
        """What its lock is for: the client where there is one, else the stream, else the operation."""
        return Scope(self.operation, self.stream if self.client is None else None, self.client)


class Standing(NamedTuple):
    """`start` is None for a job that no gateway has started; `fence` for one without a lock."""

    start: Start | None
    phase: Phase = Phase.STARTING
    fence: int | None = None

    @property
    def lock(self) -> Scope | None:
        """The lock that it should hold; None for a job without one, and for one that is done."""
        return self.start.scope if self.start is not None and self.start.exclusive and self.phase is not Phase.DONE else None


_decode = msgspec.json.Decoder(Start).decode
_FIELDS = ("start", "phase", "fence")


def begin(link: Link, run: str, start: Start, keep_s: int) -> Standing:
    """How the run stands, with this start entered unless there was one before. Whose start it is, its digest tells."""
    key = keys.started(run)
    replies = _asked(link, [("HSETNX", key, "start", msgspec.json.encode(start)), ("EXPIRE", key, keep_s), ("HMGET", key, *_FIELDS)])
    return _standing(replies[-1])


def look(link: Link, runs: Sequence[str]) -> list[Standing]:
    """How the runs stand."""
    return [_standing(reply) for reply in _asked(link, [("HMGET", keys.started(run), *_FIELDS) for run in runs])]


def keep(link: Link, run: str, keep_s: int) -> None:
    """Remember it for `keep_s` from now."""
    link.call("EXPIRE", keys.started(run), keep_s)


class Marked(NamedTuple):
    """`first`: this attempt made it started, and no other of the same start. `done`: it was completed meanwhile."""

    first: bool
    done: bool


def mark_started(link: Link, run: str, attempt: str, fence: int | None, keep_s: int) -> Marked:
    """The log has its start. `attempt`: what tells this attempt from others of the same start."""
    key = keys.started(run)
    told: list[Command] = [] if fence is None else [("HSET", key, "fence", fence)]
    marks: list[Command] = [("HSETNX", key, "by", attempt), ("HSETNX", key, "phase", Phase.STARTED)]
    *_, by, phase = _asked(link, [*marks, *told, ("EXPIRE", key, keep_s), ("HGET", key, "by"), ("HGET", key, "phase")])
    return Marked(by == attempt.encode(), phase == Phase.DONE.encode())


def mark_done(link: Link, run: str) -> Standing:
    """The log has its end: a late repeat of its start does nothing. How it stood; to be called before its lock is given back."""
    (standing,) = look(link, [run])
    if standing.start is not None:
        link.call("HSET", keys.started(run), "phase", Phase.DONE)
    return standing


def outcome_number(link: Link, row_id: str, digest: str, keep_s: int) -> int:
    """The number of this outcome among those told of the run: the same for a repeat of the last one, the next for another."""
    key = keys.started(row_id)
    while True:
        names = [name.decode() for name in link.call("HKEYS", key)]
        last = max((int(name.removeprefix("outcome/")) for name in names if name.startswith("outcome/")), default=0)
        if last and link.call("HGET", key, f"outcome/{last}") == digest.encode():
            return last
        entered, _ = _asked(link, [("HSETNX", key, f"outcome/{last + 1}", digest), ("EXPIRE", key, keep_s)])
        if entered:
            return last + 1


def _standing(reply: Sequence[bytes | None]) -> Standing:
    start, phase, fence = reply
    return Standing(
        None if start is None else _decode(start),
        Phase.STARTING if phase is None else Phase(phase.decode()),
        None if fence is None else int(fence),
    )


def _asked(link: Link, commands: Sequence[Command]) -> list[Any]:
    replies = link.pipeline(commands)
    for reply in replies:
        if isinstance(reply, StoreRefused):
            raise reply
    return replies
