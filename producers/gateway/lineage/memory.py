"""What the gateways know together of OpenLineage's runs, so that totals and ends come out right in whatever order events arrive.

Kept in Redis, beside the log. Both verbs raise StoreUnavailable and StoreRefused, and are safe to repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from contract import keys
from contract.errors import StoreRefused
from contract.link import Command, Link
from producers.gateway.lineage.run_event import Transition

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class End(NamedTuple):
    """That a run has ended, how, and when."""

    transition: Transition
    at: datetime


def newest(link: Link, row_id: str, metrics: Sequence[str], at: datetime, keep_s: int) -> set[str]:
    """Those of the metrics of which no later event has told the total. From now on an earlier one is too late."""
    key = keys.lineage_totals(row_id)
    at_us = (at - _EPOCH) // timedelta(microseconds=1)
    raises: list[Command] = [("ZADD", key, "GT", at_us, metric) for metric in metrics]
    replies = _asked(link, [*raises, ("EXPIRE", key, keep_s), ("ZMSCORE", key, *metrics)])
    return {metric for metric, score in zip(metrics, replies[-1], strict=True) if score is not None and int(float(score)) <= at_us}


def own_ends(link: Link, run: str, *, counts: bool, end: End | None, keep_s: int) -> list[End]:
    """The ends that are to be told of the client run under which a job counts for itself; none while it does not.

    `counts`: it does, by this event. `end`: this event is an end. Whichever comes second, or both at once, sees the other."""
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
