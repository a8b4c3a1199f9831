"""What events do to rows: statuses, totals, texts, and what is set aside."""

from __future__ import annotations

from decimal import Decimal

import pytest

from contract.status import Status
from tests.building import NOON, RUN, Ledger, wire


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


def test_the_job_row_can_be_asked_for(ledger: Ledger) -> None:
    ledger.send(wire("job.started", None, sequence=1))
    version = ledger[None].version
    ledger.send(wire("job.rows.requested", None, sequence=2))
    assert ledger[None].version == version + 1
    assert ledger.known.rows.keys() == {RUN}
