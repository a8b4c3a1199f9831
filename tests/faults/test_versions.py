"""Fault: an old and a new version side by side. What this one does not know is folded around, and kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.stage import stage
from contract import keys
from contract.errors import LayoutMismatch
from contract.link import Link
from contract.settings import Settings
from contract.status import Status
from faults.producers.late_deliveries import fold
from faults.service.versions import side_by_side
from tests.building import REGISTRY, RUN, wire
from worker.store.reader import Reader

PARTITION = keys.partition_of(RUN, 8)


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


def append(link: Link, *events: bytes) -> None:
    link.call("XADD", keys.log(PARTITION), "*", "batch", b"[" + b",".join(events) + b"]")


def stored(link: Link, row_id: str) -> dict[str, Any]:
    return dict(json.loads(link.call("HGET", keys.row(PARTITION, row_id), "state")))


def newer(link: Link, row_id: str, **fields: Any) -> None:
    """What a newer worker would have stored: the same row, with more in it."""
    state = stored(link, row_id) | fields
    link.call("HSET", keys.row(PARTITION, row_id), "state", json.dumps(state), "summary", "of a newer version")


LEADS = {"leads_processed": 1}


def test_events_with_attributes_and_fields_of_a_newer_version_count_and_stay_in_the_log(settings: Settings, link: Link) -> None:
    event = json.loads(wire("client.metrics.updated", sequence=1, metrics=LEADS))
    event |= {"traceparent": "00-abc", "dataschema": "urn:v9", "priority": 7}
    event["data"] |= {"weights": {"a": [1, {"b": None}]}, "confidence": 0.5}
    append(link, json.dumps(event).encode(), wire("client.metrics.updated", sequence=2, metrics=LEADS))
    fold(settings, PARTITION)
    (row,) = Reader(link, 8, REGISTRY).clients(RUN)
    assert row.metrics == {"Leads Processed": 2}
    assert Reader(link, 8, REGISTRY).dead() == 0
    ((_, fields),) = link.call("XRANGE", keys.log(PARTITION), "-", "+")
    assert json.loads(fields[1])[0] == event


def test_an_event_of_a_type_that_only_a_newer_version_knows_is_kept_as_a_dead_letter(settings: Settings, link: Link) -> None:
    append(link, wire("client.run.paused", sequence=1, note="n"), wire("client.metrics.updated", sequence=2, metrics=LEADS))
    fold(settings, PARTITION)
    reader = Reader(link, 8, REGISTRY)
    assert [row.metrics for row in reader.clients(RUN)] == [{"Leads Processed": 1}]
    assert reader.dead() == 1


@pytest.mark.parametrize("row_id", [RUN, f"{RUN}-a"])
def test_what_a_newer_worker_has_stored_with_a_row_outlives_a_rewrite_by_this_one(settings: Settings, link: Link, row_id: str) -> None:
    append(link, wire("client.metrics.updated", sequence=1, metrics=LEADS))
    fold(settings, PARTITION)
    newer(link, row_id, budget={"spent": "1.50", "by": ["x"]}, priority=3, nothing=None)
    append(link, wire("client.metrics.updated", sequence=2, metrics=LEADS), wire("job.started", None, sequence=3, job_type="scoring"))
    fold(settings, PARTITION)
    state = stored(link, row_id)
    assert (state["budget"], state["priority"], state["nothing"]) == ({"spent": "1.50", "by": ["x"]}, 3, None)
    assert state["metrics"] == {"Leads Processed": 2}
    assert link.call("HGET", keys.row(PARTITION, row_id), "summary") == b"of a newer version"


def test_a_status_that_only_a_newer_version_knows_does_not_stop_the_partition(settings: Settings, link: Link) -> None:
    append(link, wire("client.metrics.updated", sequence=1, metrics=LEADS))
    fold(settings, PARTITION)
    newer(link, f"{RUN}-a", status="Paused", budget=1)
    append(link, wire("client.run.completed", sequence=2, success=True))
    fold(settings, PARTITION)
    (row,) = Reader(link, 8, REGISTRY).clients(RUN)
    assert (row.status, row.metrics) == (Status.COMPLETED, {"Leads Processed": 1})
    assert stored(link, f"{RUN}-a")["budget"] == 1


def test_a_layout_of_another_version_is_refused_and_nothing_is_touched(settings: Settings, link: Link) -> None:
    append(link, wire("client.metrics.updated", sequence=1, metrics=LEADS))
    link.call("HSET", keys.META, "layout", keys.LAYOUT + 1, "partitions", 8)
    with pytest.raises(LayoutMismatch):
        fold(settings, PARTITION)
    assert link.call("KEYS", "*:row:*") == []


def test_an_old_and_a_new_worker_fold_the_same_rows_in_turn_and_lose_nothing_of_each_other() -> None:
    with stage() as place:
        verdict = side_by_side(place, seed=19, seconds=2)
    assert verdict["ok"], str(verdict)
