"""Fault: webhooks come eleven times, shuffled, and up to 33 hours late. Each is counted once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from contract import keys
from contract.link import Link
from contract.settings import Settings
from contract.status import Status
from faults.producers.late_deliveries import DELIVERIES, Hook, deliver, fold, hooks
from producers.publisher import Publisher
from tests.building import NOON, REGISTRY, RUN, wire
from worker.store.reader import Reader

SEED = 17
PARTITION = keys.partition_of(RUN, 8)


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


def counts(link: Link) -> dict[str, int]:
    return {row.client: row.metrics["Leads Processed"] for row in Reader(link, 8, REGISTRY).clients(RUN)}


def test_webhooks_delivered_eleven_times_in_33_hours_and_in_any_order_count_once(settings: Settings, link: Link) -> None:
    rng = random.Random(SEED)  # noqa: S311
    events = hooks(150, rng)
    duplicates = deliver(link, settings, events, rng)
    assert counts(link) == Counter(event.client for event in events)
    assert duplicates == len(events) * (DELIVERIES - 1)


@pytest.mark.parametrize("late_h", [0, 23.9, 24.1, 33, 47.9])
def test_a_repeat_is_known_for_as_long_as_identities_are_remembered(settings: Settings, link: Link, late_h: float) -> None:
    assert settings.id_memory_s == 48 * 3600
    first = datetime.now(UTC) - timedelta(hours=49)
    batch = b"[" + Hook("h1", "a", first).encoded() + b"]"
    for number, at in enumerate((first, first + timedelta(hours=late_h))):
        link.call("XADD", keys.log(PARTITION), f"{int(at.timestamp() * 1000)}-{number}", "batch", batch)
        fold(settings, PARTITION)
    assert counts(link) == {"a": 1}


def test_the_same_identity_emitted_by_many_processes_counts_once(
    make_settings: Callable[..., Settings], redis_url: str, link: Link
) -> None:
    settings = make_settings(redis_url=redis_url)
    for _ in range(DELIVERIES):
        publisher = Publisher(settings)
        for number in range(20):
            data = {"run_id": RUN, "client_id": "a", "metrics": {"leads_processed": 1}}
            publisher.emit("client.metrics.updated", data, id=f"hook-{number}", time=NOON)
        assert publisher.close() == 0
    fold(settings, PARTITION)
    assert counts(link) == {"a": 20}


def test_a_success_that_comes_a_day_late_does_not_undo_what_happened_after_it(settings: Settings, link: Link) -> None:
    failed = wire("client.run.completed", id="failed", source="/apify", at=7_200, success=False, error="aborted")
    late = wire("client.run.completed", id="succeeded", source="/apify", at=3_600, success=True, totals={"leads_processed": 4})
    begin_ms = int((NOON + timedelta(hours=3)).timestamp() * 1000)
    for number, event in enumerate((failed, late, late)):
        link.call("XADD", keys.log(PARTITION), f"{begin_ms + number * 33 * 1_800_000}-0", "batch", b"[" + event + b"]")
    fold(settings, PARTITION)
    (row,) = Reader(link, 8, REGISTRY).clients(RUN)
    assert row.status is Status.FAILED
    assert row.metrics == {"Leads Processed": 4}
    assert row.end == NOON + timedelta(hours=2)
