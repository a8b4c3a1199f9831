"""What the fold does with a run whose rows have had their time, and what it says of the rows it made."""

from __future__ import annotations

import pytest

from contract.events import EventType
from tests.building import NOON, RULES, RUN, Ledger, entry, wire
from worker.fold import Known, fold, fold_one_by_one, needs_of

RETIRED = {RUN: int(NOON.timestamp() * 1000)}
OF_JOBS = {kind for kind in EventType if kind.startswith("job.")}
EXPIRIES = {EventType.JOB_EXPIRED, EventType.CLIENT_EXPIRED}


@pytest.mark.parametrize("kind", EventType)
def test_no_kind_of_event_makes_a_row_of_a_retired_run(kind: EventType) -> None:
    """The sweeper's are void, as for any row that is not there; all others are set aside whole."""
    changes = fold(RULES, Known(retired=RETIRED), [entry(1, wire(kind, None if kind in OF_JOBS else "a", id="late"))])
    assert (changes.rows, changes.runs, changes.clients, changes.made) == ({}, {}, {}, set())
    reasons = [letter.reason for letter in changes.letters]
    if kind in EXPIRIES:
        assert reasons == []
    else:
        assert reasons[0].startswith("the run's rows have expired, on 2025-09-30 (RUNTALLY_RETENTION_S)")
        assert changes.counts["dead_event"] == len(reasons) == 1


def test_a_repeat_of_a_late_event_is_a_repeat() -> None:
    late = wire("client.run.started", id="late")
    changes = fold(RULES, Known(retired=RETIRED), [entry(1, late, late)])
    assert (len(changes.letters), changes.counts["duplicates"]) == (1, 1)


def test_needs_name_the_runs() -> None:
    assert needs_of(RULES, [entry(1, wire("client.run.started", id="1"), wire("job.started", None, id="2"))]).runs == {RUN}


def test_changes_say_which_rows_they_made() -> None:
    ledger = Ledger()
    assert ledger.send(wire("client.run.started", "a", id="1")).made == {RUN, f"{RUN}-a"}
    assert ledger.send(wire("client.run.started", "b", id="2"), wire("client.run.started", "a", id="3")).made == {f"{RUN}-b"}
    assert ledger.send(wire("client.run.completed", "a", id="4")).made == set()


def test_one_by_one_says_the_same() -> None:
    entries = [
        entry(1, wire("client.run.started", "a", id="1"), wire("client.run.completed", "a", id="2"), wire("job.started", None, id="3"))
    ]
    assert fold_one_by_one(RULES, Known(), entries).made == {RUN, f"{RUN}-a"}
    changes = fold_one_by_one(RULES, Known(retired=RETIRED), entries)
    assert (changes.rows, len(changes.letters)) == ({}, 3)
