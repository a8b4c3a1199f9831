"""Log lines of the worker say what they are about: scope, run, client, operation, event type (spec §8)."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from contract import keys
from contract.about import about
from contract.link import Link
from contract.settings import Settings
from tests.building import REGISTRY, RUN, wire
from tests.server.flush.conftest import World, empty_world, sandbox, world
from worker.consume import Consumer
from worker.flush.drafts import Draft, Unreadable
from worker.flush.letters import Letters
from worker.flush.passage import Passage
from worker.flush.tally import Tally
from worker.store.dirty import RowRef
from worker.store.lease import Lease
from worker.sweep import sweep

__all__ = ["empty_world", "sandbox", "world"]

PARTITION = keys.partition_of(RUN, 8)
CLIENT = {"scope": "CLIENT", "run_id": RUN, "client_id": "Jane-Doe"}
LEGACY = "job_post_scoring_stream1_20250929094802"
JOB = {"scope": "SYSTEM", "run_id": RUN, "client_id": None}


@pytest.fixture
def link(redis_url: str) -> Any:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


def said(lines: list[Any], event: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name != "event"} for line in lines if line["event"].startswith(event)]


@pytest.mark.parametrize(
    ("row_id", "keys_of_it"),
    [
        (f"{RUN}-Jane-Doe", CLIENT),
        (RUN, JOB),
        (
            "job_post_scoring_stream1_20250929094802",
            {**JOB, "run_id": "250929-094802", "subject": "job_post_scoring_stream1_20250929094802"},
        ),
        ("SR-250922-002", {**JOB, "run_id": None, "subject": "SR-250922-002"}),
        ("", {**JOB, "run_id": None, "subject": ""}),
        (None, {}),
    ],
)
def test_a_row_id_is_split_into_the_keys_of_a_line(row_id: str | None, keys_of_it: dict[str, Any]) -> None:
    assert about(row_id) == keys_of_it


def test_what_is_set_aside_names_its_run_and_client(settings: Settings, link: Link) -> None:
    link.call("SET", keys.row(PARTITION, f"{RUN}-b"), "no hash")
    events = [
        wire("client.metrics.updated", "Jane-Doe", id="1", metrics={"errors": "many"}),
        wire("job.completed", None, id="2", status="kaputt"),
        wire("client.run.started", "b", id="3"),
        wire("client.metrics.updated", "a", id="4").replace(f'"{RUN}-a"'.encode(), b'"SR-250922-002"'),
        b'"no event"',
    ]
    link.call("XADD", keys.log(PARTITION), "*", "batch", b"[" + b",".join(events) + b"]")
    with capture_logs() as lines:
        Consumer(settings, REGISTRY, PARTITION).turn()
    told = {line["kind"] + line.get("id", ""): line for line in said(lines, "set aside")}
    assert {line["operation"] for line in told.values()} == {"fold"}
    assert told["value1"].items() >= {**CLIENT, "event_type": "client.metrics.updated", "source": "/test/p1"}.items()
    assert told["status2"].items() >= {**JOB, "event_type": "job.completed"}.items()
    assert told["row"].items() >= {**CLIENT, "client_id": "b", "event_type": None}.items()
    assert told["event4"].items() >= {**JOB, "run_id": None, "subject": "SR-250922-002"}.items()
    assert told["event"]["event_type"] is None
    assert all("subject" not in told[name] for name in ("value1", "status2", "row", "event"))


def test_a_silent_run_names_its_run_and_client(settings: Settings, link: Link) -> None:
    for row_id in (f"{RUN}-Jane-Doe", RUN):
        link.call("ZADD", keys.open_rows(PARTITION), 1, row_id)
    with capture_logs() as lines:
        assert sweep(link, settings) == 2
    told = {line["client_id"]: line for line in said(lines, "silent run closed")}
    assert told["Jane-Doe"].items() >= {**CLIENT, "operation": "sweep", "event_type": "client.run.expired"}.items()
    assert told[None].items() >= {**JOB, "operation": "sweep", "event_type": "job.expired"}.items()


def test_what_the_flush_sets_aside_names_its_run_and_client(settings: Settings, link: Link) -> None:
    ref = RowRef(PARTITION, f"{RUN}-Jane-Doe")
    draft = Draft(ref, "client", RUN, "Jane-Doe", "1", {"Errors": 5}, None, None)
    letters = Letters(link, settings, Tally(link, "app0"), 60)
    with capture_logs() as lines:
        letters.refuse_field(draft, "Errors", "no")
        letters.refuse_row(draft, "no")
        letters.leave_out(draft, "Errors", "no")
        letters.replaced(draft, "rec1", {})
        letters.unreadable(Unreadable(ref, "1", "no"))
    assert len(lines) == 5
    for line in lines:
        assert line.items() >= {**CLIENT, "operation": "flush"}.items()


def test_a_request_of_unknown_outcome_has_a_line_for_each_row(link: Link) -> None:
    refs = [RowRef(PARTITION, RUN), RowRef(PARTITION, f"{RUN}-Jane-Doe")]
    lease = Lease(link, "lease", ttl_s=60)
    assert lease.take()
    passage = Passage(link, lease, lambda: False, refs, request_s=1, lands_s=9)

    def interrupted() -> None:
        raise KeyboardInterrupt("stop")

    with capture_logs() as lines, pytest.raises(KeyboardInterrupt) as caught:
        passage.send(interrupted)
    with capture_logs() as lines:
        passage.broken(caught.value)
    more = {"operation": "flush", "wait_s": 9, "error": "stop", "log_level": "warning"}
    assert said(lines, "outcome unknown") == [{**JOB, **more}, {**CLIENT, **more}]


def test_a_record_that_was_gone_names_its_row(world: World) -> None:
    job = world.job()
    world.flush()
    world.sandbox.delete_records("Job Tracking")
    world.change(job, stream=2)
    with capture_logs() as lines:
        assert world.flush().records_lost == 1
    (line,) = said(lines, "record was gone")
    assert line.items() >= {**JOB, "operation": "flush"}.items()
