"""A row in Redis that cannot be read: it stops nothing, is set aside, made anew, named, and mended from the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contract import keys
from contract.errors import LetterInvalid
from contract.status import Status
from producers.publisher import Publisher
from producers.runs import Job
from worker.appending import append
from worker.dead.again import again
from worker.dead.letters import DeadLetters
from worker.dead.wanted import Wanted
from worker.maintain import now_ms
from worker.sweep import sweep

from .conftest import RUN, Flow

GARBAGE = {
    "no JSON": {"state": "{"},
    "no state": {"state": None},
    "bytes": {"state": b"\xff\xfe\x00"},
    "another kind": {"state": b'{"kind":"boat"}'},
    "another row's": {"state": b'{"kind":"client","run":"250930-141522","client":"zzz"}'},
    "a text that is no list": {"notes": "5"},
    "a depth bomb": {"state": b'{"kind":"job","run":"250930-141522","metrics":{"x":' + b"[" * 3000 + b"]" * 3000 + b"}}"},
}


def spoil(flow: Flow, client: str | None, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        if value is None:
            flow.link.call("HDEL", flow.row(client), name)
        else:
            flow.link.call("HSET", flow.row(client), name, value)


def late(flow: Flow, client: str, leads: int, id: str) -> None:
    """One more event for a client, after all others."""
    at = datetime.now(UTC) + timedelta(seconds=1)
    data = {"metrics": {"leads_processed": leads}}
    append(flow.link, 4, type="client.metrics.updated", run_id=RUN, client_id=client, data=data, source="/test", id=id, time=at)


def row_letters(flow: Flow) -> list[Any]:
    return list(DeadLetters(flow.link, 4, None).find(Wanted(kind="row")))


@pytest.mark.parametrize("name", GARBAGE)
def test_a_client_row_of_garbage_costs_itself_and_is_mended_from_the_log(flow: Flow, name: str) -> None:
    spoil(flow, "a", GARBAGE[name])
    late(flow, "b", 2, "1")
    flow.settle()
    assert flow.total("Leads Processed", "b") == 7
    assert flow.seen() == {("unreadable", RUN, "a")}, "nobody has asked for it: it stays as it is"
    assert row_letters(flow) == []

    late(flow, "a", 4, "2")
    late(flow, "a", 3, "3")
    flow.settle()
    assert (flow.total("Leads Processed", "a"), flow.total("Leads Processed")) == (7, 10 + 7 + 5 + 2 + 1)
    assert "could not be read" in flow.record("a")["fields"]["System Notes"]
    assert flow.record("a")["fields"]["Leads Processed"] == 10, "Airtable keeps what it had"
    [letter] = row_letters(flow)
    assert (letter.about.base, letter.about.client, letter.origin["row"]) == (RUN, "a", f"{RUN}-a")
    with pytest.raises(LetterInvalid, match="verify --repair"):
        again(letter)
    assert flow.reader.counters()["dead_row"] == 1
    job = flow.reader.job(RUN)
    assert job is not None
    assert job.clients == {Status.RUNNING: 1, Status.COMPLETED: 1, Status.FAILED: 1}
    assert flow.seen() == {("unreadable", RUN, "a")}, "the job's totals are right as they are"

    assert flow.verify(repair=True).left == []
    flow.settle()
    assert flow.verify(replay=True).findings == []
    assert (flow.total("Leads Processed", "a"), flow.total("Leads Processed")) == (17, 25)
    assert flow.record("a")["fields"]["Leads Processed"] == 17


def test_a_row_that_no_event_came_for_is_mended_from_the_log(flow: Flow) -> None:
    spoil(flow, "a", GARBAGE["no JSON"])
    spoil(flow, None, GARBAGE["bytes"] | {"v": "many"})
    assert flow.verify(repair=True).left == []
    flow.settle()
    assert flow.verify(replay=True).findings == []
    assert [letter.origin["row"] for letter in row_letters(flow)] == [f"{RUN}-a", RUN]
    assert flow.total("Leads Processed") == 16


def test_a_job_row_of_garbage_gets_its_totals_from_its_clients(flow: Flow) -> None:
    spoil(flow, None, GARBAGE["no JSON"])
    late(flow, "a", 4, "1")
    flow.settle()
    job = flow.reader.job(RUN)
    assert job is not None
    assert (job.metrics["Leads Processed"], sum(job.clients.values())) == (20, 3)
    assert flow.seen() == {("unreadable", RUN, None)}
    assert flow.verify(repair=True).left == []
    flow.settle()
    assert flow.verify(replay=True).findings == []
    assert flow.state(None)["job_type"] == "scoring"


def test_without_the_log_it_stays_named_and_the_totals_stay(flow: Flow) -> None:
    flow.link.call("XTRIM", keys.log(flow.partition()), "MAXLEN", 0)
    spoil(flow, "a", GARBAGE["no JSON"])
    late(flow, "a", 4, "1")
    flow.settle()
    report = flow.verify(repair=True)
    flow.settle()
    assert [(finding.kind, finding.client) for finding in report.left] == [("unreadable", "a")]
    assert "trimmed" in report.left[0].hint
    assert flow.total("Leads Processed") == 20


def test_a_publisher_s_repeats_do_not_make_a_row_anew(flow: Flow) -> None:
    """What changes nothing does not touch what stands there."""
    log = keys.log(flow.partition())
    entries = flow.link.call("XRANGE", log, "-", "+")
    spoil(flow, "a", GARBAGE["no JSON"])
    for _, fields in entries:
        flow.link.call("XADD", log, "*", *fields)
    flow.settle()
    assert row_letters(flow) == []
    assert flow.link.call("HGET", flow.row("a"), "state") == b"{"


def test_a_silent_row_that_cannot_be_read_is_closed_all_the_same(empty_flow: Flow) -> None:
    flow = empty_flow
    append(flow.link, 4, type="job.started", run_id=RUN, data={}, source="/test", id="j", time=datetime.now(UTC))
    late(flow, "a", 4, "1")
    flow.settle()
    spoil(flow, "a", GARBAGE["no JSON"])
    spoil(flow, None, GARBAGE["no JSON"])
    silent = flow.settings.model_copy(update={"stale_after_s": 0.0})
    last = max(int(float(score)) for score in flow.link.call("ZRANGE", keys.open_rows(flow.partition()), 0, -1, "WITHSCORES")[1::2])
    while now_ms(flow.link) <= last:
        pass
    assert sweep(flow.link, silent) == 2
    flow.settle()
    assert flow.link.call("ZCARD", keys.open_rows(flow.partition())) == 0
    assert (flow.state("a")["status"], flow.state(None)["status"]) == (Status.FAILED, Status.FAILED)
    assert flow.seen() == {("unreadable", RUN, "a"), ("unreadable", RUN, None)}
    assert sweep(flow.link, silent) == 0


def test_lists_pass_over_it(flow: Flow) -> None:
    spoil(flow, "a", GARBAGE["no JSON"])
    spoil(flow, None, GARBAGE["no JSON"])
    assert [row.client for row in flow.reader.clients(RUN)] == ["b", "c"]
    assert RUN not in [job.run for job in flow.reader.latest(10)]


def test_a_run_begun_over_garbage_completes(flow: Flow) -> None:
    """The row is made anew by the run's own events, and ends as they say."""
    run = "250930-170000"
    flow.link.call("HSET", keys.row(flow.partition(run), run), "state", "{", "junk", "x" * 400_000)
    publisher = Publisher(flow.settings)
    with Job(publisher, run, "scoring", None, None) as job, job.client("a") as client:
        client.count(leads_processed=3)
    assert publisher.close() == 0
    flow.settle()
    row = flow.reader.job(run)
    assert row is not None
    assert (row.status, row.metrics["Leads Processed"]) == (Status.COMPLETED, 3)
    [letter] = row_letters(flow)
    assert len(letter.text) <= 262_144
