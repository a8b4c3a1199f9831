"""Events of the worker's own are folded like any others, once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contract import keys
from contract.errors import StoreRefused
from contract.link import Link
from contract.settings import Settings
from tests.building import NOON, REGISTRY, RUN
from worker.appending import append
from worker.consume import Consumer
from worker.store.reader import Reader


@pytest.fixture
def link(settings: Settings) -> Iterator[Link]:
    link = Link(settings.redis_url.get_secret_value(), name="test-append")
    link.open()
    yield link
    link.close()


def consume(settings: Settings) -> int:
    return Consumer(settings, REGISTRY, keys.partition_of(RUN, settings.partitions)).turn().events


def note(link: Link, settings: Settings, *, client_id: str | None = "a", id: str = "1") -> str:
    return append(
        link,
        settings.partitions,
        type="client.metrics.updated" if client_id else "job.rows.requested",
        run_id=RUN,
        client_id=client_id,
        data={"note": "hello", "metrics": {"Errors": 1}} if client_id else {"note": "hello"},
        source="/runtally/test",
        id=id,
        time=NOON,
    )


def test_an_appended_event_rings_and_is_folded_once_however_often_it_is_appended(settings: Settings, link: Link) -> None:
    first = note(link, settings)
    assert link.call("ZRANGE", keys.BELL, 0, -1) == [b"%d" % keys.partition_of(RUN, settings.partitions)]
    assert note(link, settings) > first
    note(link, settings, client_id=None, id="2")
    assert consume(settings) == 2
    row = Reader(link, settings.partitions, REGISTRY).clients(RUN)[0]
    assert row.metrics == {"Errors": 1}
    assert row.start == NOON


def test_a_refusal_and_an_empty_id_are_errors(settings: Settings, link: Link) -> None:
    with pytest.raises(ValueError, match="run ID"):
        note(link, settings, client_id="")
    link.call("SET", keys.log(keys.partition_of(RUN, settings.partitions)), "no stream")
    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        note(link, settings)
