"""What the gateways know together of jobs that count for themselves, so that their ends come out right in whatever order events arrive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from contract import keys
from contract.errors import StoreRefused
from contract.link import Command, Link
from producers.gateway.lineage.run_event import Transition


class End(NamedTuple):
    """That a run has ended, how, and when."""

    transition: Transition
    at: datetime


def own_ends(link: Link, run: str, *, counts: bool, end: End | None, keep_s: int) -> list[End]:
    """The ends that are to be told of the client run under which a job counts for itself; none while it does not.

    `counts`: it does, by this event. `end`: this event is an end. Whichever comes second, or both at once, sees the other.
    Raises StoreUnavailable, StoreRefused; safe to repeat."""
    key = keys.lineage(run)
    told: list[Command] = [("HSET", key, "own", 1)] if counts else []
    if end is not None:
        told.append(("HSET", key, f"end/{end.transition}", end.at.isoformat()))
    replies = _asked(link, [*told, ("EXPIRE", key, keep_s), ("HGETALL", key)])
    kept = {name.decode(): value.decode() for name, value in zip(replies[-1][::2], replies[-1][1::2], strict=True)}
    if "own" not in kept:
        return []
    ends = [(name.removeprefix("end/"), at) for name, at in kept.items() if name.startswith("end/")]
    return [End(Transition(transition), datetime.fromisoformat(at)) for transition, at in ends]


def _asked(link: Link, commands: Sequence[Command]) -> list[Any]:
    replies = link.pipeline(commands)
    for reply in replies:
        if isinstance(reply, StoreRefused):
            raise reply
    return replies
