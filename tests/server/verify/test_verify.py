"""Each planted inconsistency is found, by kind, run and client, and mended by the fold and the flush; a clean system is clean."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from contract import keys
from worker.appending import append
from worker.verify import State, repair

from .conftest import QUIET, RUN, Flow, Seen

Plant = Callable[[Flow], object]


def test_a_clean_system_has_no_finding(flow: Flow) -> None:
    report = flow.verify(replay=True)
    assert report.findings == []
    assert report.remarks == []
    assert (report.counts["runs"], report.counts["rows"], report.counts["records"], report.counts["replayed"]) == (2, 6, 6, 2)


def test_an_empty_system_has_no_finding(empty_flow: Flow) -> None:
    assert empty_flow.verify(replay=True).findings == []


def test_what_waits_is_no_finding(empty_flow: Flow) -> None:
    empty_flow.emit()
    assert empty_flow.verify(replay=True).findings == []
    empty_flow.fold()
    report = empty_flow.verify(replay=True)
    assert report.findings == []
    assert [remark.kind for remark in report.remarks] == ["waiting"]


def airtable(table: str, client: str | None, **fields: object) -> Plant:
    """A person changes cells."""

    def plant(flow: Flow) -> None:
        getattr(flow, table).update(flow.record(client)["id"], fields, typecast=True)

    return plant


def wrong_link(flow: Flow) -> None:
    flow.clients.update(flow.record("a")["id"], {"Job": [flow.record(None, QUIET)["id"]]})


def duplicate(flow: Flow) -> None:
    flow.clients.create({"Run ID": f"{RUN}-a", "Client ID": "a"})


def stray_row(flow: Flow) -> None:
    """A row that the job knows nothing of."""
    row = {name.decode(): value for name, value in pairs(flow, flow.row("b"))}
    state = row.pop("state").replace(b'"client":"b"', b'"client":"x"')
    flow.link.call("HSET", flow.row("x"), "state", state, "v", "1")
    flow.link.call("ZADD", keys.dirty(flow.partition()), 0, f"{RUN}-x")


def pairs(flow: Flow, key: str) -> list[tuple[bytes, bytes]]:
    reply = flow.link.call("HGETALL", key)
    return list(zip(reply[::2], reply[1::2], strict=True))


def redis(*command: object) -> Plant:
    """A command whose arguments may be functions of the flow."""
    return lambda flow: flow.link.call(*(part(flow) if callable(part) else part for part in command))  # type: ignore[arg-type]


JOB: Seen = ("", RUN, None)

PLANTED: dict[str, tuple[Plant, set[Seen]]] = {
    "a status outside the four in Airtable": (airtable("clients", "a", Status="Finished"), {("status", RUN, "a")}),
    "another status in Airtable": (airtable("jobs", None, Status="Running"), {("field", RUN, None)}),
    "a changed number in Airtable": (airtable("clients", "a", **{"Leads Processed": 11}), {("field", RUN, "a")}),
    "an emptied cell in Airtable": (airtable("clients", "a", **{"Client Name": None}), {("field", RUN, "a")}),
    "a changed text in Airtable": (airtable("clients", "c", **{"Error Details": "fine"}), {("field", RUN, "c")}),
    "a wrong link": (wrong_link, {("link", RUN, "a")}),
    "a missing link": (airtable("clients", "b", Job=[]), {("link", RUN, "b")}),
    "a missing client record": (lambda flow: flow.clients.delete(flow.record("b")["id"]), {("missing", RUN, "b")}),
    "a duplicate record": (duplicate, {("duplicate", RUN, "a")}),
    "another record": (redis("HSET", lambda f: f.row("a"), "record", "rec00000000000000"), {("record", RUN, "a")}),
    "a status outside the four in Redis": (lambda flow: flow.write_state("a", status="Finished"), {("status", RUN, "a")}),
    "a job's status outside the four": (lambda flow: flow.write_state(None, status="Finished"), {("status", RUN, None)}),
    "a wrong status in Redis": (lambda flow: flow.write_state("b", status="Failed"), {("status", RUN, "b"), ("field", RUN, "b")}),
    "a total off by one": (lambda flow: flow.write_metric(None, "Leads Processed", 17), {("total", RUN, None), ("field", RUN, None)}),
    "a total of nothing": (lambda flow: flow.write_metric(None, "Posts Processed", 1), {("total", RUN, None), ("field", RUN, None)}),
    "a client count off": (
        lambda flow: flow.write_state(None, clients={"Completed": 3, "Failed": 1}),
        {("clients", RUN, None), ("field", RUN, None)},
    ),
    "errors off": (lambda flow: flow.write_state(None, with_errors=0), {("clients", RUN, None), ("field", RUN, None)}),
    "a row that the job knows nothing of": (
        stray_row,
        {("orphan", RUN, "x"), ("total", RUN, None), ("clients", RUN, None)},
    ),
    "a row that is not in the set of clients": (
        redis("SREM", lambda f: keys.clients(f.partition(), RUN), "b"),
        {("orphan", RUN, "b")},
    ),
    "a member without a row": (redis("SADD", lambda f: keys.clients(f.partition(), RUN), "nobody"), {("dangling", RUN, "nobody")}),
    "a missing index entry": (redis("ZREM", lambda f: keys.runs(f.partition()), RUN), {("unindexed", RUN, None)}),
    "an index entry that points nowhere": (
        redis("ZADD", lambda f: keys.runs(f.partition("250101-000000")), 4e12, "250101-000000"),
        {("index", "250101-000000", None)},
    ),
    "a mark without a row": (redis("ZADD", lambda f: keys.dirty(f.partition()), 0, f"{RUN}-nobody"), {("mark", RUN, "nobody")}),
    "a row never flushed": (redis("HDEL", lambda f: f.row("a"), "sent_v", "record"), {("unflushed", RUN, "a")}),
    "a client row lost": (redis("DEL", lambda f: f.row("a")), {("lost", RUN, "a")}),
    "a job row lost": (redis("DEL", lambda f: f.row(None)), {("orphan", RUN, c) for c in "abc"} | {("lost", RUN, None)}),
    "a run lost": (
        redis("DEL", *(lambda f, c=c: f.row(c) for c in (None, "a", "b", "c")), lambda f: keys.clients(f.partition(), RUN)),
        {("index", RUN, None), ("lost", RUN, None), *(("lost", RUN, c) for c in "abc")},
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_was_planted_is_found_and_mended(flow: Flow, name: str) -> None:
    plant, expected = PLANTED[name]
    totals = flow.state(None)["metrics"]
    plant(flow)
    before = flow.verify()
    assert {(str(f.kind), f.run, f.client) for f in before.findings} == expected
    assert {f.state for f in before.findings} == {State.OPEN}

    report = flow.verify(repair=True)
    assert report.left == []
    flow.settle()
    after = flow.verify(replay="stray" not in name and "knows nothing" not in name)
    assert after.findings == []
    if "knows nothing" not in name:
        assert flow.state(None)["metrics"] == totals
        assert flow.record(None)["fields"]["Leads Processed"] == 16


def test_what_nobody_can_mend_is_left_with_advice(flow: Flow) -> None:
    flow.link.call("HSET", keys.row(0, "no run ID"), "state", "{")
    flow.link.call("ZADD", keys.dirty(0), 0, "nor this")
    report = flow.verify(repair=True)
    assert {(str(f.kind), f.run, f.client) for f in report.left} == {("unreadable", None, None), ("mark", None, None)}
    assert all(finding.hint for finding in report.left)
    # What the advice says, done.
    flow.link.call("DEL", keys.row(0, "no run ID"))
    flow.flush()
    assert flow.verify(replay=True).findings == []


def test_an_open_row_that_the_sweeper_does_not_see_is_put_before_it_again(empty_flow: Flow) -> None:
    flow = empty_flow
    at = datetime(2025, 9, 30, tzinfo=UTC)
    append(flow.link, 4, type="client.run.started", run_id=RUN, client_id="a", data={}, source="/test", id="1", time=at)
    flow.settle()
    flow.link.call("DEL", keys.open_rows(flow.partition()))
    assert flow.seen() == {("unwatched", RUN, None), ("unwatched", RUN, "a")}
    flow.verify(repair=True)
    flow.settle()
    assert flow.seen(replay=True) == set()
    assert flow.link.call("ZCARD", keys.open_rows(flow.partition())) == 2


def test_a_repair_may_be_repeated_before_the_workers_have_done_it(flow: Flow) -> None:
    flow.write_metric(None, "Leads Processed", 17)
    flow.link.call("DEL", flow.row("a"))
    flow.verify(repair=True)
    flow.verify(repair=True)
    flow.settle()
    assert flow.verify(replay=True).findings == []
    counters = flow.reader.counters()
    assert counters["rows_rebuilt"] == 2
    assert counters["duplicates"] == 1


def test_replay_finds_what_was_changed_alike_in_client_and_job(flow: Flow) -> None:
    flow.write_metric("a", "Leads Processed", 11)
    flow.write_metric(None, "Leads Processed", 17)
    for client in ("a", None):
        flow.link.call("ZADD", keys.dirty(flow.partition()), 0, RUN if client is None else f"{RUN}-{client}")
    flow.flush()
    assert flow.seen() == set()
    assert flow.seen(replay=True) == {("replay", RUN, "a"), ("replay", RUN, None)}
    flow.verify(replay=True, repair=True)
    flow.settle()
    assert flow.verify(replay=True).findings == []
    assert flow.total("Leads Processed", "a") == 10
    assert flow.record(None)["fields"]["Leads Processed"] == 16


def test_replay_in_many_small_groups_says_the_same(flow: Flow) -> None:
    flow.write_metric("a", "Leads Processed", 11)
    report = flow.verify(replay=True, most_rows=1)
    assert report.counts["replayed"] == 2
    assert ("replay", RUN, "a") in {(str(f.kind), f.run, f.client) for f in report.findings}


def test_runs_that_the_log_has_no_longer_are_named_with_the_reason(flow: Flow) -> None:
    flow.link.call("XTRIM", keys.log(flow.partition(RUN)), "MAXLEN", 0)
    flow.link.call("DEL", flow.row("a"))
    report = flow.verify(replay=True, repair=True)
    assert {remark.run for remark in report.remarks if remark.kind == "uncompared"} >= {RUN}
    (lost,) = report.left
    assert (lost.kind, lost.client) == ("lost", "a")
    assert "trimmed" in lost.hint
    flow.settle()
    assert flow.total("Leads Processed") == 16, "what the job counts is not thrown away with the row"


def test_a_run_that_a_trimmed_log_has_whole_is_compared(empty_flow: Flow) -> None:
    flow = empty_flow
    earlier = next(run for second in range(60) if flow.partition(run := f"250929-1200{second:02d}") == flow.partition())
    at = datetime(2025, 9, 29, tzinfo=UTC)
    append(flow.link, 4, type="job.started", run_id=earlier, data={}, source="/test", id="1", time=at)
    flow.emit()
    flow.settle()
    log = keys.log(flow.partition())
    flow.link.call("XTRIM", log, "MAXLEN", flow.link.call("XLEN", log) - 1)
    report = flow.verify(replay=True)
    assert report.findings == []
    assert [remark.run for remark in report.remarks] == [earlier]
    flow.write_metric("a", "Leads Processed", 11)
    assert ("replay", RUN, "a") in flow.seen(replay=True, airtable=False)


def test_rows_too_large_for_one_event_come_in_several(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "_MOST_BYTES", 1)
    PLANTED["a run lost"][0](flow)
    assert flow.verify(repair=True).left == []
    flow.settle()
    assert flow.reader.counters()["rows_rebuilt"] == 4
    assert flow.verify(replay=True).findings == []


def test_a_field_that_the_base_lacks_is_reported_once_and_the_others_are_compared(flow: Flow) -> None:
    field = flow.clients.schema().field("Errors")
    field.name = "Mistakes"
    field.save()
    airtable("clients", "a", **{"Leads Processed": 11})(flow)
    report = flow.verify()
    assert {(str(f.kind), f.what) for f in report.findings} == {("column", "Client Run Results.Errors"), ("field", "Leads Processed")}


def test_records_of_others_are_left_alone_and_old_ones_are_normal(flow: Flow) -> None:
    flow.jobs.create({"Run ID": "my own notes"})
    flow.jobs.create({"Run ID": "240101-000000", "Status": "Completed", "Last Updated": "2024-01-01T00:00:00.000Z"})
    report = flow.verify()
    assert report.findings == []
    assert {remark.kind for remark in report.remarks} == {"foreign", "expired"}
    flow.jobs.create({"Run ID": "240101-000001", "Status": "Broken", "Last Updated": "2024-01-01T00:00:00.000Z"}, typecast=True)
    assert flow.seen() == {("status", "240101-000001", None)}


def test_one_run_alone(flow: Flow) -> None:
    flow.write_metric(None, "Leads Processed", 17)
    assert flow.seen(run=QUIET) == set()
    assert flow.seen(run=RUN, airtable=False) == {("total", RUN, None)}
    assert flow.verify(run=QUIET, replay=True).counts["runs"] == 1
    assert flow.verify(run="250101-000000").findings == []


def test_it_changes_nothing_without_repair(flow: Flow) -> None:
    flow.write_metric(None, "Leads Processed", 17)
    flow.clients.delete(flow.record("b")["id"])
    before = {key: pairs(flow, key) for key in (flow.row(None), flow.row("b"))}
    flow.verify(replay=True)
    assert {key: pairs(flow, key) for key in before} == before
    assert flow.reader.dirty() == 0
    assert flow.reader.backlog() == 0
