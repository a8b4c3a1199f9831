"""What events do to rows: statuses, totals, texts, and what is set aside."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from contract.registry import load_registry
from contract.status import Status
from tests.building import NOON, REGISTRY, RULES, RUN, Ledger, wire
from worker.flush.columns import client_fields, job_fields
from worker.fold import Rules


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_a_client_run_runs_from_its_first_event_and_completes_with_its_completion(ledger: Ledger) -> None:
    ledger.send(wire("job.started", None, sequence=1, job_type="scoring", stream=2))
    ledger.send(wire("client.run.started", sequence=2, client_name="Client A"))
    assert ledger["a"].status is Status.RUNNING
    assert ledger["a"].name == "Client A"
    ledger.send(wire("client.metrics.updated", sequence=3, at=5, metrics={"leads_processed": 3, "Leads Processed": 4}))
    ledger.send(wire("client.run.completed", sequence=4, at=9, success=True))
    assert ledger["a"].status is Status.COMPLETED
    assert ledger["a"].metrics == {"Leads Processed": 7}
    assert (ledger["a"].end - ledger["a"].start).total_seconds() == 9
    assert ledger[None].status is Status.RUNNING
    ledger.send(wire("job.completed", None, sequence=5, at=10, success=True))
    assert ledger[None].status is Status.COMPLETED
    assert (ledger[None].job_type, ledger[None].stream) == ("scoring", 2)
    assert ledger[None].metrics == {"Leads Processed": 7}


def test_success_without_work_is_no_leads_to_score(ledger: Ledger) -> None:
    ledger.send(wire("client.run.completed", sequence=1, success=True, metrics={"leads_skipped": 4, "prompt_tokens": 9}))
    assert ledger["a"].status is Status.NO_LEADS
    ledger.send(wire("client.metrics.updated", sequence=2, metrics={"posts_processed": 1}))
    assert ledger["a"].status is Status.COMPLETED


def test_a_late_running_does_not_undo_a_terminal_status(ledger: Ledger) -> None:
    ledger.send(wire("client.run.completed", sequence=1, at=1, success=False, error="out of memory"))
    ledger.send(wire("client.run.started", sequence=2, at=2), wire("client.metrics.updated", sequence=3, at=3, status="in progress"))
    assert ledger["a"].status is Status.FAILED
    assert "out of memory" in ledger["a"].errors[0]


def test_of_two_outcomes_the_later_in_event_time_wins(ledger: Ledger) -> None:
    ledger.send(wire("client.run.completed", sequence=1, at=8, status="aborted", metrics={"leads_processed": 1}))
    ledger.send(wire("client.run.completed", sequence=2, at=4, success=True))
    assert ledger["a"].status is Status.FAILED
    ledger.send(wire("client.run.completed", sequence=3, at=9, success=True))
    assert ledger["a"].status is Status.COMPLETED


@pytest.mark.parametrize(
    ("outcomes", "orchestrator", "status"),
    [
        (["failed", "failed"], True, Status.FAILED),
        (["failed", "completed"], True, Status.COMPLETED),
        (["failed", "skipped"], True, Status.COMPLETED),
        (["skipped", "skipped"], True, Status.NO_LEADS),
        (["completed", "completed"], False, Status.FAILED),
        (["completed", "running"], True, Status.RUNNING),
        ([], True, Status.COMPLETED),
        ([], False, Status.FAILED),
    ],
)
def test_a_job_ends_when_its_orchestrator_and_all_its_clients_have(
    ledger: Ledger, outcomes: list[str], orchestrator: bool, status: Status
) -> None:
    work = [
        wire("client.metrics.updated", f"c{n}", sequence=n + 1, status=outcome, metrics={"leads_processed": 1})
        for n, outcome in enumerate(outcomes)
    ]
    ledger.send(*work, wire("job.completed", None, sequence=9, success=orchestrator))
    assert ledger[None].status is status
    assert sum(ledger[None].clients.values()) == len(outcomes)


def test_a_total_replaces_the_sum_and_later_observations_add_to_it(ledger: Ledger) -> None:
    ledger.send(
        wire("client.metrics.updated", sequence=1, metrics={"errors": 2}),
        wire("client.metrics.updated", "b", sequence=2, metrics={"errors": 5}),
    )
    ledger.send(wire("client.metrics.updated", sequence=3, totals={"errors": 7}))
    ledger.send(wire("client.metrics.updated", sequence=4, metrics={"errors": 1}))
    assert ledger["a"].metrics == {"Errors": 8}
    assert ledger[None].metrics == {"Errors": 13}
    assert ledger[None].with_errors == 2


def test_total_tokens_are_profile_and_post_tokens_unless_reported(ledger: Ledger) -> None:
    tokens = {"profile_scoring_tokens": 10, "post_scoring_tokens": 5}
    ledger.send(wire("client.metrics.updated", sequence=1, metrics=tokens), wire("client.metrics.updated", "b", sequence=2, metrics=tokens))
    assert ledger[None].metrics["Total Tokens"] == 30
    ledger.send(wire("client.metrics.updated", "b", sequence=3, metrics={"total_tokens": 40}))
    assert ledger[None].metrics["Total Tokens"] == 55


def test_decimals_are_exact_and_the_last_text_wins_by_event_time(ledger: Ledger) -> None:
    for number in range(10):
        ledger.send(wire("client.metrics.updated", sequence=number + 1, metrics={"apify_api_costs": 0.1}))
    ledger.send(wire("client.metrics.updated", sequence=11, at=5, metrics={"Apify Run ID": "new"}))
    ledger.send(wire("client.metrics.updated", sequence=12, at=1, metrics={"Apify Run ID": "old"}))
    assert ledger["a"].metrics["Apify API Costs"] == Decimal("1.0")
    assert ledger[None].metrics["Apify API Costs"] == Decimal("1.0")
    assert ledger["a"].metrics["Apify Run ID"] == "new"


def test_reported_start_and_end_times_widen_the_run(ledger: Ledger) -> None:
    ledger.send(
        wire("client.metrics.updated", sequence=1, metrics={"Start Time": "2025-09-30T13:00:00+02:00", "End Time": "2025-09-30T12:00:09Z"})
    )
    assert (NOON - ledger["a"].start).total_seconds() == 3600
    assert (ledger["a"].end - NOON).total_seconds() == 9


def test_records_appear_with_a_note_for_what_was_never_announced(ledger: Ledger) -> None:
    ledger.send(wire("client.metrics.updated", sequence=1, metrics={"errors": 0}))
    ledger.send(wire("client.metrics.updated", sequence=2, metrics={"errors": 0}))
    assert [line.split("] ")[1] for line in ledger["a"].notes] == ["created by its first event: its start was never announced"]
    assert len(ledger[None].notes) == 1
    assert ledger["a"].metrics == ledger[None].metrics == {"Errors": 0}, "a zero is a value"


def test_a_rate_above_one_hundred_per_cent_leaves_an_integrity_warning(ledger: Ledger) -> None:
    changes = ledger.send(
        wire("client.metrics.updated", sequence=1, metrics={"Profiles Examined for Scoring": 2, "Profiles Successfully Scored": 3})
    )
    assert changes.counts["integrity_warnings"] == 1
    assert "integrity" in ledger["a"].notes[-1]
    ledger.send(wire("client.metrics.updated", sequence=2, metrics={"Profiles Successfully Scored": 3}))
    assert sum("integrity" in line for line in ledger["a"].notes) == 1


def test_skips_are_counted_by_reason_and_texts_are_bounded(ledger: Ledger) -> None:
    ledger.send(*[wire("client.metrics.updated", sequence=n, skips={"QUOTA": 2}, note=f"note {n}") for n in range(1, 151)])
    assert ledger["a"].skips == {"QUOTA": 300}
    assert len(ledger["a"].notes) == 100
    assert ledger["a"].dropped == {"notes": 51}
    assert ledger["a"].notes[-1].endswith("note 150")


def test_progress_lines_and_hostile_text(ledger: Ledger) -> None:
    ledger.send(
        wire("client.progress.logged", sequence=1, progress={"operation": "post_scoring", "state": "completed", "text": "a\0b\r\n=1"})
    )
    assert ledger["a"].progress == ["[2025-09-30 12:00:00Z] post_scoring: completed (a b \n=1)"]


def test_a_presumed_end_is_undone_by_a_late_event(ledger: Ledger) -> None:
    ledger.send(wire("client.metrics.updated", sequence=1, metrics={"leads_processed": 1}))
    ledger.send(wire("client.run.expired", sequence=1, source="/sweeper/1", at=99))
    assert ledger["a"].status is Status.FAILED
    assert ledger["a"].end == NOON, "the sweeper's event is no sign of life"
    ledger.send(wire("client.metrics.updated", sequence=2, metrics={"leads_processed": 1}))
    assert ledger["a"].status is Status.RUNNING
    assert "reopened" in ledger["a"].notes[-1]
    ledger.send(wire("client.run.completed", sequence=3, success=True))
    ledger.send(wire("client.run.expired", sequence=2, source="/sweeper/1", at=99))
    assert ledger["a"].status is Status.COMPLETED


def test_two_origins_of_one_run_id_are_reported(ledger: Ledger) -> None:
    ledger.send(wire("job.started", None, sequence=1, origin="x"), wire("job.started", None, sequence=2, origin="x"))
    assert not ledger[None].notes
    assert ledger.send(wire("job.started", None, sequence=3, origin="y")).counts["run_id_collisions"] == 1
    assert "integrity" in ledger[None].notes[0]


def test_repeats_change_nothing_and_gaps_are_counted(ledger: Ledger) -> None:
    first = wire("client.metrics.updated", sequence=1, metrics={"errors": 1})
    named = wire("client.metrics.updated", id="hook-1", metrics={"errors": 1})
    assert ledger.send(first, first, named, named).counts["duplicates"] == 2
    changes = ledger.send(first, named, wire("client.metrics.updated", id="hook-1", source="/other", metrics={"errors": 1}))
    assert changes.counts["duplicates"] == 2
    assert ledger["a"].metrics == {"Errors": 3}
    version = ledger["a"].version
    assert not ledger.send(first, named).rows
    assert ledger["a"].version == version
    assert ledger.send(wire("client.metrics.updated", sequence=5, metrics={"errors": 1})).counts["gaps"] == 3


def test_a_fold_changes_nothing_it_was_given(ledger: Ledger) -> None:
    ledger.send(wire("client.metrics.updated", sequence=1, metrics={"errors": 1, "x": 1}, skips={"A": 1}, note="n"))
    before = repr(ledger.known)
    from tests.building import entry

    ledger.fold(entry(9, wire("client.metrics.updated", sequence=2, metrics={"errors": 1, "x": 1}, skips={"A": 1}, note="m")), commit=False)
    assert repr(ledger.known) == before


def test_a_request_for_a_jobs_row_changes_nothing_in_it_but_its_version(ledger: Ledger) -> None:
    ledger.send(wire("job.started", None, sequence=1), wire("client.run.completed", sequence=2, at=5, metrics={"errors": 1}))
    ledger.send(wire("job.completed", None, sequence=3, at=11))
    before = structs.replace(ledger[None])
    changes = ledger.send(wire("job.rows.requested", None, sequence=4, at=3600, run_id=RUN))
    assert changes.touched == {RUN}
    assert ledger[None] == structs.replace(before, version=before.version + 1, updated=ledger[None].updated)
    assert ledger[None].updated > before.updated


def test_a_request_is_no_sign_of_life(ledger: Ledger) -> None:
    ledger.send(wire("job.started", None, sequence=1))
    ledger.send(wire("job.expired", None, source="/sweeper", id="x", at=2000))
    ledger.send(wire("job.rows.requested", None, sequence=2, at=3600))
    assert (ledger[None].status, ledger[None].end, len(ledger[None].notes)) == (Status.FAILED, None, 1)
    ledger.send(wire("job.rows.requested", None, sequence=3, at=3601, note="still at it"))
    assert (ledger[None].status, ledger[None].notes[-1]) == (Status.RUNNING, "[2025-09-30 13:00:01Z] still at it")


def test_a_request_for_a_row_that_is_not_there_makes_none_and_is_set_aside(ledger: Ledger) -> None:
    changes = ledger.send(wire("job.rows.requested", None, sequence=1))
    assert (changes.rows, changes.runs) == ({}, {})
    assert ledger.letters == [
        f"event: there is no row of job {RUN} to be written: nothing was ever told of it, or its time in Redis is over"
    ]


@pytest.mark.parametrize("kind", ["job.completed", "job.heartbeat", "job.rows.requested"])
def test_a_job_that_was_never_announced_says_so(ledger: Ledger, kind: str) -> None:
    ledger.send(wire(kind, None, sequence=1, job_type="scoring"))
    ledger.send(wire(kind, None, sequence=2, job_type="scoring"))
    assert [line.split("] ")[1] for line in ledger[None].notes] == ["created by its first event: its start was never announced"]


def test_starting_work_never_moves_the_end(ledger: Ledger) -> None:
    ledger.send(wire("job.started", None, sequence=1), wire("client.run.started", sequence=2))
    ledger.send(wire("job.heartbeat", None, sequence=3, at=40), wire("client.run.heartbeat", sequence=4, at=40))
    expired = [wire("client.run.expired", source="/sweeper", id="1", at=99), wire("job.expired", None, source="/sweeper", id="2", at=99)]
    ledger.send(*expired)
    for client in ("a", None):
        assert (ledger[client].status, ledger[client].start, ledger[client].end) == (Status.FAILED, NOON, None)
        assert "closed as Failed" in ledger[client].notes[-1]
    assert client_fields(ledger["a"], REGISTRY, None)["End Time"] is None
    assert job_fields(ledger[None], REGISTRY)["End Time"] is None


def test_a_late_or_repeated_start_leaves_the_end_where_it_is(ledger: Ledger) -> None:
    ledger.send(wire("job.completed", None, sequence=1, at=1), wire("client.run.completed", "b", sequence=2, at=10))
    ledger.send(wire("client.run.started", "a", sequence=3, at=30), wire("client.run.started", "b", sequence=4, at=500))
    assert ledger["a"].end is None
    assert [(ledger[who].end - NOON).total_seconds() for who in ("b", None)] == [10, 10]


@pytest.mark.parametrize("kind", ["job.heartbeat", "client.run.heartbeat"])
def test_a_heartbeat_that_makes_a_row_gives_it_no_end(ledger: Ledger, kind: str) -> None:
    ledger.send(wire(kind, "a" if kind.startswith("client") else None, sequence=1))
    assert [(row.start, row.end) for row in ledger.known.rows.values()] == [(NOON, None)] * len(ledger.known.rows)


EXAMINED, SCORED = "profiles_examined_for_scoring", "profiles_successfully_scored"


@pytest.mark.parametrize(
    "events",
    [
        [{SCORED: 8}, {EXAMINED: 5}],
        [{"PROFILES Successfully scored": 8, EXAMINED: 5}],
        [{EXAMINED: 5}, {"PROFILES Successfully scored": 8}],
        [{SCORED: "8", EXAMINED: "5"}],
        [{EXAMINED: 0}, {SCORED: 3}],
        [{SCORED: 3, EXAMINED: 0}],
    ],
    ids=str,
)
def test_a_double_count_is_told_in_any_order_and_spelling(ledger: Ledger, events: list[dict[str, Any]]) -> None:
    for sequence, metrics in enumerate(events, start=1):
        ledger.send(wire("client.metrics.updated", sequence=sequence, metrics=metrics))
    assert sum(changes.counts["integrity_warnings"] for changes in ledger.commits) == 1
    shown = "empty" if 0 in [*events[0].values(), *events[-1].values()] else "shown as 100 %"
    assert ledger["a"].notes[-1].endswith(f"Profiles Examined for Scoring; Profile Scoring Success Rate is {shown}")


def test_what_one_event_tells_is_looked_at_together(ledger: Ledger) -> None:
    ledger.send(wire("client.metrics.updated", sequence=1, metrics={EXAMINED: 5, SCORED: 5}))
    changes = ledger.send(wire("client.metrics.updated", sequence=2, metrics={"PROFILES Successfully scored": 1, EXAMINED: 1}))
    assert not changes.counts["integrity_warnings"]


@pytest.fixture
def shares(tmp_path: Path) -> Ledger:
    path = tmp_path / "metrics.toml"
    path.write_text(
        '[rates."Token Share"]\nnumerator = "Total Tokens"\ndenominator = "Prompt Tokens"\n'
        '[rates."Job Share"]\nnumerator = "Errors"\ndenominator = "Leads Processed"\ntables = ["job"]'
    )
    return Ledger(Rules(load_registry(path), RULES.partition, RULES.partitions))


def test_a_total_that_others_stand_in_for_is_looked_at_too(shares: Ledger) -> None:
    shares.send(wire("client.metrics.updated", sequence=1, metrics={"prompt_tokens": 5}))
    changes = shares.send(wire("client.metrics.updated", sequence=2, metrics={"profile_scoring_tokens": 8}))
    assert changes.counts["integrity_warnings"] == 1
    assert "Total Tokens exceeds Prompt Tokens" in shares["a"].notes[-1]


def test_a_rate_of_the_jobs_totals_is_looked_at_too(shares: Ledger) -> None:
    shares.send(wire("job.started", None, sequence=1), wire("client.metrics.updated", "a", sequence=2, metrics={"leads_processed": 5}))
    changes = shares.send(wire("client.metrics.updated", "b", sequence=3, metrics={"errors": 8}))
    assert changes.counts["integrity_warnings"] == 1
    assert [(warned.kind, warned.client_id) for warned in changes.warnings] == [("integrity", None)]
    assert not shares.send(wire("client.metrics.updated", "b", sequence=4, metrics={"errors": 1})).warnings, "told once"
    assert "integrity: Errors exceeds Leads Processed" in job_fields(shares[None], shares.rules.registry)["System Notes"]


def test_a_jobs_success_rate_is_that_of_the_clients_that_are_done(ledger: Ledger) -> None:
    ledger.send(wire("job.started", None, sequence=1), wire("client.run.completed", "b", sequence=2, metrics={"leads_processed": 1}))
    ledger.send(wire("client.metrics.updated", "a", sequence=3, metrics={"errors": 1}))
    fields = job_fields(ledger[None], REGISTRY)
    assert (fields["Clients Processed"], fields["Clients With Errors"], fields["Success Rate"]) == (1, 1, 1)
    ledger.send(wire("client.run.completed", "a", sequence=4, metrics={"leads_processed": 1}))
    fields = job_fields(ledger[None], REGISTRY)
    assert (fields["Clients Processed"], fields["Clients With Errors"], fields["Success Rate"]) == (2, 1, 0.5)


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"success": True, "totals": {"Status": "Failed: quota"}}, Status.FAILED),
        ({"metrics": {"status": "aborted"}}, Status.FAILED),
        ({"success": False, "totals": {"Status": "completed"}}, Status.COMPLETED),
        ({"success": True, "totals": {"Status": "exploded"}}, Status.RUNNING),
        ({"success": True, "totals": {"Status": "Running"}}, Status.COMPLETED),
        ({"success": False, "status": "Running"}, Status.FAILED),
        ({"status": "Running", "metrics": {"Status": "Failed"}}, Status.FAILED),
        ({"status": "Completed", "metrics": {"Status": "Failed"}}, Status.COMPLETED),
    ],
    ids=str,
)
def test_a_status_told_in_an_event_wins_over_its_success(ledger: Ledger, told: dict[str, Any], status: Status) -> None:
    ledger.send(wire("client.metrics.updated", sequence=1, metrics={"leads_processed": 1}))
    ledger.send(wire("client.run.completed", sequence=2, at=1, **told))
    assert ledger["a"].status is status
