"""The event that a repair asks with: a job row becomes the sum of its client rows, and nothing else changes."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contract.status import Status
from tests.building import NOON, RUN, Ledger, entry, wire
from tests.unit.test_fold_property import EVENTS, numbered, plain
from worker.fold import Entry, needs_of
from worker.rows import AnyRow, to_hash

RECOUNTED = "job.rows.recounted"


def two_clients() -> Ledger:
    ledger = Ledger()
    ledger.send(
        wire("job.started", None, sequence=1, job_type="scoring"),
        wire("client.run.completed", "a", sequence=2, at=1, metrics={"leads_processed": 3, "apify_api_costs": "0.10"}),
        wire("client.run.completed", "b", sequence=3, at=2, success=False, metrics={"leads_processed": 4}),
        wire("job.completed", None, sequence=4, at=3),
    )
    return ledger


def recount(ledger: Ledger, number: int = 1, **data: Any) -> None:
    ledger.send(wire(RECOUNTED, None, id=f"r{number}", at=60, **data))


def values(ledger: Ledger) -> dict[str, dict[str, Any]]:
    return {row_id: plain(row) for row_id, row in ledger.known.rows.items()}


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.booleans(), st.data())
def test_where_nothing_is_wrong_a_recount_changes_no_value(events: list[dict[str, Any]], named: bool, data: st.DataObject) -> None:
    sent = numbered(events, named)
    without, with_recounts = Ledger(), Ledger()
    clients = data.draw(st.lists(st.sampled_from("abc")), label="clients listed")
    cut = data.draw(st.integers(0, len(sent)), label="events before")
    same_commit = data.draw(st.booleans(), label="in one commit")
    asked = wire(RECOUNTED, None, id="asked", clients=clients)
    without.fold(entry(1, *sent))
    entries: list[Entry] = [entry(1, *sent[:cut], asked), entry(2, *sent[cut:], wire(RECOUNTED, None, id="again", clients=clients))]
    for group in [entries] if same_commit else [[one] for one in entries]:
        with_recounts.fold(*group)

    def comparable(row: AnyRow) -> dict[str, Any]:
        return plain(row) | {"seen_ms": 0}

    assert {i: comparable(row) for i, row in with_recounts.known.rows.items()} == {
        i: comparable(row) for i, row in without.known.rows.items()
    }


def test_a_job_row_that_is_not_the_sum_of_its_clients_becomes_it() -> None:
    ledger = two_clients()
    right = values(ledger)
    job = ledger[None]
    job.metrics = {"Leads Processed": 8, "Errors": 1, "Removed Metric": 5}
    job.clients, job.with_errors, job.status = {Status.COMPLETED: 2}, 0, Status.NO_LEADS
    recount(ledger)
    got = values(ledger)
    (note,) = got[RUN].pop("notes")
    assert note == (
        "[2025-09-30 12:01:00Z] recounted from its client runs: Apify API Costs nothing → 0.10, Errors 1 → nothing, "
        "Leads Processed 8 → 7, clients Completed 2 → 1, clients Failed 0 → 1 and 1 more"
    )
    # A metric that the registry does not know any more is nobody's to recount.
    assert got[RUN]["metrics"].pop("Removed Metric") == 5
    right[RUN].pop("notes")
    assert got == right
    assert ledger.commits[-1].clients == {RUN: ["a", "b"]}


def test_a_listed_client_gets_its_status_derived_anew_and_the_others_are_left_alone() -> None:
    ledger = two_clients()
    right = values(ledger)
    versions = {client: ledger[client].version for client in "ab"}
    ledger["a"].status = Status.RUNNING
    recount(ledger, clients=["a", "nobody"])
    assert values(ledger) == right
    assert ledger["a"].version == versions["a"] + 1
    assert ledger["b"].version == versions["b"]
    assert ledger.commits[-1].touched == {RUN, f"{RUN}-a"}


def test_a_missing_job_row_is_made_from_its_clients_and_says_so() -> None:
    ledger = two_clients()
    del ledger.known.rows[RUN]
    recount(ledger)
    assert ledger[None].metrics["Leads Processed"] == 7
    assert ledger[None].status is Status.RUNNING
    assert "what was told of the job itself is lost" in ledger[None].notes[0]


def test_a_run_without_rows_stays_without() -> None:
    ledger = Ledger()
    recount(ledger, clients=["a"])
    assert ledger.known.rows == {}
    assert ledger.commits[-1].runs == {}
    assert not ledger.letters


def test_a_row_is_taken_only_in_place_of_the_version_it_was_compared_with() -> None:
    ledger = two_clients()
    right = values(ledger)
    fields = {name: text.decode() for name, text in to_hash(ledger["a"]).items()}
    given = {f"{RUN}-a": {"fields": fields}}

    del ledger.known.rows[f"{RUN}-a"]
    recount(ledger, 1, rows=given)
    assert ledger["a"].notes[-1].endswith("recounted: this row was made anew from the log")
    got = values(ledger)
    got[f"{RUN}-a"]["notes"] = right[f"{RUN}-a"]["notes"]
    assert got == right
    assert ledger.commits[-1].counts["rows_rebuilt"] == 1

    ledger.send(wire("client.metrics.updated", "a", sequence=5, metrics={"leads_processed": 1}))
    recount(ledger, 2, rows=given)
    assert ledger["a"].metrics["Leads Processed"] == 4
    assert ledger[None].metrics["Leads Processed"] == 8
    assert ledger.commits[-1].counts["rows_not_rebuilt"] == 1


def test_a_row_touched_earlier_in_the_same_commit_is_not_replaced() -> None:
    ledger = two_clients()
    row = ledger["a"]
    given = {row.row_id: {"fields": {name: text.decode() for name, text in to_hash(row).items()}, "replaces": row.version}}
    update = wire("client.metrics.updated", "a", sequence=5, metrics={"leads_processed": 1})
    ledger.fold(entry(5, update, wire(RECOUNTED, None, id="r", rows=given)))
    assert ledger["a"].metrics["Leads Processed"] == 4


def test_rows_that_are_none_or_of_another_run_are_set_aside_whole() -> None:
    ledger = two_clients()
    before = copy.deepcopy(values(ledger))
    good = {name: text.decode() for name, text in to_hash(ledger["b"]).items()}
    for number, row_id in enumerate([f"{RUN}-a", "250101-000000-b", RUN]):
        given = {f"{RUN}-b": {"fields": good, "replaces": 1}, row_id: {"fields": good, "replaces": 1}}
        recount(ledger, number, rows=given)
    recount(ledger, 9, rows={RUN: {"fields": {"state": "{"}}})
    assert [letter.split(":")[0] for letter in ledger.letters] == ["event"] * 4
    assert values(ledger) == before


def test_needs_name_the_whole_run_and_what_the_event_lists() -> None:
    asked = wire(RECOUNTED, None, id="r", clients=["x"], rows={f"{RUN}-y": {"fields": {}}, "250101-000000-z": {"fields": {}}})
    needs = needs_of(Ledger().rules, [entry(1, asked, wire(RECOUNTED, None, id="q", run="250101-000000"))])
    assert needs.whole_runs == {RUN}
    assert needs.row_ids == {RUN, f"{RUN}-x", f"{RUN}-y"}


def test_a_recount_is_no_sign_of_life() -> None:
    ledger = Ledger()
    ledger.send(wire("client.metrics.updated", "a", sequence=1))
    seen = ledger["a"].seen_ms
    recount(ledger, clients=["a"])
    assert ledger["a"].seen_ms == seen
    assert ledger["a"].end < NOON + timedelta(seconds=60)
