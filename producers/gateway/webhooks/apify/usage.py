"""What an Apify run used, counted once however many of its events tell of it.

Apify tells what the run has used *so far*: a run that failed, was resurrected and succeeded has told its first cost twice. So each
event adds what it has above the highest told before it. The order in which the events came first is kept in Redis and never changes;
it gives every repeat the same numbers, and any order the same sums.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

import msgspec

from contract import keys
from contract.link import Link
from contract.values import EXACT
from producers.gateway.store import Store
from producers.gateway.webhooks.apify.payload import ApifyEvent


class Usage(msgspec.Struct, frozen=True, array_like=True):
    """What an event told: its kind, and numbers of the Apify run so far; None for what it did not tell."""

    kind: str
    posts: int | None
    cost: Decimal | None


class Added(NamedTuple):
    """What an event adds; None for what it did not tell."""

    posts: int | None
    cost: Decimal | None


_decode = msgspec.json.Decoder(Usage).decode


async def added(store: Store, event: ApifyEvent, row_id: str, memory_s: int) -> Added:
    """What the event adds to its row. Remembered for `memory_s` after the last event. Raises StoreUnavailable, StoreRefused."""
    if event.posts is None and event.cost is None:
        return Added(None, None)
    key = keys.apify_usage(event.run, row_id)
    own = msgspec.json.encode(Usage(event.kind, event.posts, event.cost))
    return _above([_decode(kept) for kept in await store.run(lambda link: _kept(link, key, own, event.kind, memory_s))], event.kind)


def _kept(link: Link, key: str, own: bytes, kind: str, memory_s: int) -> list[bytes]:
    """All that was told, oldest first. Two at once may both be added: of each kind the first counts."""
    kept: list[bytes] = link.call("LRANGE", key, 0, -1)
    if all(_decode(text).kind != kind for text in kept):
        link.call("RPUSH", key, own)
        kept = link.call("LRANGE", key, 0, -1)
    link.call("EXPIRE", key, memory_s)
    return kept


def _above(told: Iterable[Usage], kind: str) -> Added:
    posts, cost = 0, Decimal(0)
    before: set[str] = set()
    for usage in told:
        if usage.kind in before:
            continue
        before.add(usage.kind)
        if usage.kind == kind:
            return Added(
                None if usage.posts is None else max(0, usage.posts - posts),
                None if usage.cost is None else max(Decimal(0), EXACT.subtract(usage.cost, cost)),
            )
        posts = max(posts, usage.posts or 0)
        cost = max(cost, usage.cost or Decimal(0))
    return Added(None, None)
