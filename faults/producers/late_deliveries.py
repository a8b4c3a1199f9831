"""Fault 17: webhooks delivered eleven times over, shuffled, up to 33 hours late, by services that know no sequence.

A day is simulated: log entries get explicit IDs, so that the server seems to have received them hours apart.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.stage import Stage, stage
from contract import keys
from contract.events import encode_event, join_batch
from contract.link import Link
from contract.settings import Settings
from faults.producers.counting import REGISTRY
from faults.producers.told import RUN
from faults.producers.verdict import verdict
from worker.consume import Consumer
from worker.store.reader import Reader

NAME = "late_deliveries"

DELIVERIES = 11
LATEST_H = 33.0
_ENTRY_EVENTS = 7
_CLIENTS = 5
_TURN_ENTRIES = 40


@dataclass(frozen=True)
class Hook:
    """An event, when it happened, and for which client."""

    id: str
    client: str
    at: datetime

    def encoded(self) -> bytes:
        """As a gateway writes it: an identity, no sequence."""
        data = {"metrics": {"leads_processed": 1}}
        subject = f"{RUN}-{self.client}"
        return encode_event(
            id=self.id, source="/webhooks/apify", type="client.metrics.updated", subject=subject, time=self.at, sequence=None, data=data
        )


def hooks(number: int, rng: random.Random) -> list[Hook]:
    """Events of a day that ends now less `LATEST_H`."""
    begin = datetime.now(UTC) - timedelta(hours=LATEST_H + 1)
    return [Hook(f"hook-{n}", f"c{rng.randrange(_CLIENTS)}", begin + timedelta(seconds=rng.uniform(0, 3_600))) for n in range(number)]


def deliveries(events: list[Hook], rng: random.Random) -> Iterator[tuple[int, list[Hook]]]:
    """When the server receives what, in ms, oldest first: each event once soon and ten times within `LATEST_H`, in any order."""
    soonest = max(event.at for event in events)
    late = [(soonest + timedelta(hours=rng.uniform(0, LATEST_H)), event) for event in events for _ in range(DELIVERIES)]
    late.sort(key=lambda one: one[0])
    for begin in range(0, len(late), _ENTRY_EVENTS):
        part = late[begin : begin + _ENTRY_EVENTS]
        received_ms = int(part[-1][0].timestamp() * 1000)
        some = [event for _, event in part]
        rng.shuffle(some)
        yield received_ms, some


def deliver(link: Link, settings: Settings, events: list[Hook], rng: random.Random) -> int:
    """Append all deliveries with the IDs of their hours, folding now and then by a worker that is new each time. Duplicates dropped."""
    partition = keys.partition_of(RUN, settings.partitions)
    for number, (received_ms, some) in enumerate(deliveries(events, rng)):
        batch = join_batch(event.encoded() for event in some)
        link.call("XADD", keys.log(partition), f"{received_ms}-{number}", "batch", batch)
        if number % _TURN_ENTRIES == 0:
            fold(settings, partition)
    fold(settings, partition)
    return int(Reader(link, settings.partitions, REGISTRY).counters().get("duplicates", 0))


def fold(settings: Settings, partition: int) -> None:
    """A worker that knows nothing yet folds what there is."""
    consumer = Consumer(settings, REGISTRY, partition)
    consumer.turn(budget_s=60)
    consumer.close()


def run(seed: int, seconds: float) -> dict[str, Any]:
    """As many events as fit into the time, at most; every client's sum against the events there were."""
    rng = random.Random(seed)  # noqa: S311  # an order, no secret
    with stage() as place:
        events = hooks(max(200, min(20_000, int(seconds * 300))), rng)
        begin = time.monotonic()
        duplicates = deliver(place.link, place.settings(), events, rng)
        return _judge(place, seed, events, {"events": len(events), "duplicates": duplicates, "took_s": round(time.monotonic() - begin, 1)})


def _judge(place: Stage, seed: int, events: list[Hook], details: dict[str, Any]) -> dict[str, Any]:
    expected = Counter(event.client for event in events)
    rows = Reader(place.link, place.settings().partitions, REGISTRY).clients(RUN)
    counts = {row.client: int(row.metrics.get("Leads Processed", 0)) for row in rows}
    lost = sum(max(0, number - counts.get(client, 0)) for client, number in expected.items())
    doubled = sum(max(0, number - expected[client]) for client, number in counts.items())
    return verdict(NAME, seed, lost=lost, doubled=doubled, details=details)
