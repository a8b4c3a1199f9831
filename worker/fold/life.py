"""Signs of life, and the sweeper's presumption that there are none: silent runs are closed, and late events open them again."""

from __future__ import annotations

from contract.events import Event
from contract.status import Status
from worker.fold.working import Working
from worker.rows import AnyRow, ClientRow, JobRow, Outcome


def sign_of_life(working: Working, row: AnyRow) -> None:
    """The server has heard of this row now; what the sweeper presumed of it, or of its job, is void."""
    row.seen_ms = working.received_ms
    if row.outcome is not None and row.outcome.presumed:
        _reopen(working, row)
    if working.presumed and row.run in working.presumed:
        working.presumed.discard(row.run)
        job = working.job(row.run)
        if job.outcome is not None and job.outcome.presumed:
            _reopen(working, job)


def expire(working: Working, row: AnyRow, event: Event) -> None:
    """Close a silent row as Failed, unless its end was told, or it was heard of since the sweeper looked (`seen_ms`).

    This is no sign of life itself: neither times nor a real outcome change.
    """
    seen_ms = event.data.seen_ms
    if row.outcome is not None or (seen_ms is not None and _last_seen_ms(working, row) > seen_ms):
        working.changes.counts["expiries_void"] += 1
        return
    row.outcome = Outcome(Status.FAILED, working.at, presumed=True)
    working.touched.add(row.row_id)
    working.line(row, "notes", event.data.note or "closed as Failed: no event for too long")
    if isinstance(row, JobRow):
        working.presumed.add(row.run)


def _reopen(working: Working, row: AnyRow) -> None:
    row.outcome = None
    working.touched.add(row.row_id)
    working.line(row, "notes", "reopened: a late event proves that it is alive")


def _last_seen_ms(working: Working, row: AnyRow) -> int:
    """A job is as alive as its clients, also those whose signs are not rolled up yet."""
    if isinstance(row, ClientRow):
        return row.seen_ms
    return max(other.seen_ms for other in working.rows.values() if other.run == row.run)
