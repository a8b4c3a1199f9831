"""Fault 18: numbers at their limits and hostile text, from the producer through log, fold and rows into Airtable.

What cannot be used is set aside alone; what is accepted is exact in the rows, and stands in Airtable verbatim.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from airtable_sandbox import Limits, Sandbox
from benchmarks.stage import stage
from contract.link import Link
from contract.settings import Settings
from faults.producers.counting import REGISTRY
from faults.producers.hostile import CLIENTS, COUNTS, TEXTS
from faults.producers.told import RUN
from faults.producers.verdict import verdict
from producers.publisher import Publisher
from worker.consume import Consumer
from worker.flush.flusher import flush
from worker.flush.schema import init_base
from worker.store.reader import Reader

NAME = "limits_of_input"
_TOKEN = "pat-of-the-faults"  # noqa: S105  # the sandbox's
_EVENTS = 3_000


@dataclass(frozen=True)
class Way:
    """The whole way: a publisher, the log, the fold, a base in the sandbox."""

    settings: Settings
    link: Link
    sandbox: Sandbox
    publisher: Publisher
    reader: Reader

    def fold(self) -> None:
        """Deliver what was emitted, and fold it. Raises AssertionError when it is not delivered or the log is not drained."""
        assert self.publisher.flush(20) == 0
        for partition in range(self.settings.partitions):
            consumer = Consumer(self.settings, REGISTRY, partition)
            assert consumer.turn(budget_s=60).drained
            consumer.close()

    def flush(self) -> str:
        """Write all dirty rows; how the flush ended."""
        return str(flush(self.settings, self.link, REGISTRY, lambda: False, 60).ending)

    def records(self, table: str) -> dict[str, dict[str, Any]]:
        """Run ID -> fields."""
        return {record["fields"]["Run ID"]: record["fields"] for record in self.sandbox.records(table)}

    def rows(self) -> dict[str, Any]:
        """Client -> row."""
        return {row.client: row for row in self.reader.clients(RUN)}


@contextmanager
def whole_way(redis_url: str, link: Link, make: Any, folder: Path) -> Iterator[Way]:
    """`make(**settings)` makes the settings. The sandbox has the limits of Airtable, with a short lockout."""
    with Sandbox(_TOKEN, limits=Limits(lockout_s=1.0)) as sandbox:
        settings = make(
            redis_url=redis_url,
            airtable_url=sandbox.url,
            airtable_token=_TOKEN,
            airtable_base_id=sandbox.base_id,
            spool_dir=folder / "spool",
        )
        init_base(settings, link, REGISTRY)
        publisher = Publisher(settings)
        try:
            yield Way(settings, link, sandbox, publisher, Reader(link, settings.partitions, REGISTRY))
        finally:
            publisher.close()


def run(seed: int, seconds: float) -> dict[str, Any]:
    """Hostile events at random until the time is over; then every client's sum and every record against plain addition."""
    rng = random.Random(seed)  # noqa: S311  # input, no secret
    # Each value that is set aside would have a line of its own.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    expected: Counter[str] = Counter()
    bad = emitted = 0
    deadline = time.monotonic() + seconds
    with stage() as place, whole_way(place.url, place.link, place.settings, place.children.folder) as way:
        while not emitted or time.monotonic() < deadline:
            for _ in range(_EVENTS):
                client, (value, adds) = rng.choice(CLIENTS), rng.choice(COUNTS)
                data = {
                    "run_id": RUN,
                    "client_id": client,
                    "metrics": {"prompt_tokens": value, "leads_processed": 1},
                    "note": rng.choice(TEXTS),
                }
                way.publisher.emit("client.metrics.updated", data)
                expected[client] += adds or 0
                bad += adds is None
            emitted += _EVENTS
            way.fold()
        ending = way.flush()
        return _judge(way, seed, expected, {"emitted": emitted, "set_aside": bad, "flush": ending})


def _judge(way: Way, seed: int, expected: Counter[str], details: dict[str, Any]) -> dict[str, Any]:
    rows, records = way.rows(), way.records("Client Run Results")
    counted = sum(row.metrics.get("Leads Processed", 0) for row in rows.values())
    corrupt = sum(rows[client].metrics.get("Prompt Tokens", 0) != total for client, total in expected.items() if client in rows)
    stale = sum(records.get(row.row_id, {}).get("Client ID") != client for client, row in rows.items())
    aside = way.reader.counters().get("dead_value", 0)
    corrupt += aside != details["set_aside"]
    emitted = details["emitted"]
    return verdict(
        NAME, seed, lost=max(0, emitted - counted), doubled=max(0, counted - emitted), corrupt=corrupt, stale=stale, details=details
    )
