"""How the end of work is told: a status or a success, the later in event time wins, and a late Running undoes nothing."""

from __future__ import annotations

from contract.errors import StatusUnknown
from contract.events import Event
from contract.status import Status, map_status
from worker.fold.working import Working
from worker.rows import AnyRow, Outcome


def tell(working: Working, row: AnyRow, status: Status) -> None:
    """Take a terminal status as the row's outcome, unless one with a later event time is known. Running changes nothing."""
    if status is not Status.RUNNING and (row.outcome is None or working.at >= row.outcome.at):
        row.outcome = Outcome(status, working.at)


def tell_status(working: Working, row: AnyRow, event: Event, status: object) -> bool:
    """`tell` for a status as it arrived (spec §2). One that maps to none of the four is set aside; the row keeps its own.

    Whether it stands in the place of an event's `success`: Running does not, since it is no end."""
    try:
        mapped, note = map_status(status)
    except StatusUnknown as error:
        working.set_aside("status", str(error), event, {"status": status})
        working.line(row, "notes", str(error))
        return True
    if note is not None:
        working.line(row, "notes", note)
    tell(working, row, mapped)
    return mapped is not Status.RUNNING
