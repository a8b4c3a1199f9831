"""What one event does to one row. Nothing here raises for what an event says: it is used, or set aside with its reason."""

from __future__ import annotations

from contract.events import Data, Event, EventType, Flawed
from contract.status import Status
from worker.fold.life import sign_of_life
from worker.fold.observe import observe, skip, warn
from worker.fold.outcome import tell, tell_status
from worker.fold.working import Working
from worker.rows import AnyRow, ClientRow, JobRow

MAX_NAME = 200
"""Most characters kept of a client's name and of a job's type."""

_MAX_ORIGIN = 64
_MAX_ORIGINS = 8

UNANNOUNCED = "created by its first event: its start was never announced"

# Plain texts compare faster than enum members, and this is the hot path.
_UPDATED = EventType.METRICS_UPDATED.value
_STARTED = EventType.CLIENT_STARTED.value
_COMPLETIONS = frozenset({EventType.CLIENT_COMPLETED, EventType.JOB_COMPLETED})
_HEARTBEAT = EventType.CLIENT_HEARTBEAT.value
_JOB_OPENINGS = frozenset({EventType.JOB_STARTED, EventType.JOB_HEARTBEAT})


def to_client(working: Working, row: ClientRow, event: Event) -> None:
    """Apply a client event: announcement, metrics, skips, texts, outcome, in this order."""
    data = event.data
    is_work = event.type != _STARTED
    if not is_work:
        row.announced = True
        if data.origin is not None:
            _origin(working, working.job(row.run), data.origin)
    elif row.events == 0:
        is_work = event.type != _HEARTBEAT
        if not row.partial:
            working.line(row, "notes", UNANNOUNCED)
    _touch(working, row, event, is_work=is_work)
    if data.client_name is not None:
        row.name = data.client_name[:MAX_NAME]
    if data.metrics:
        observe(working, row, event, data.metrics, as_total=False)
    if data.totals:
        observe(working, row, event, data.totals, as_total=True)
    if data.totals or (data.metrics and not working.rules.rated.isdisjoint(data.metrics)) or working.rated_by is event:
        warn(working, row)
    if data.skips:
        skip(working, row, event)
    _texts(working, row, data)
    if data.error is not None:
        working.line(row, "errors", data.error)
    if data.progress is not None:
        progress = data.progress
        text = f"{progress.operation}: {progress.state}"
        working.line(row, "progress", f"{text} ({progress.text})" if progress.text else text)
    if data.status is not None or event.type != _UPDATED:
        _conclude(working, row, event)


def to_job(working: Working, row: JobRow, event: Event) -> None:
    """Apply a job event. Metrics of a job are the totals of its clients: those sent for the job itself are set aside."""
    data = event.data
    _touch(working, row, event, is_work=event.type not in _JOB_OPENINGS)
    if event.type == EventType.JOB_STARTED:
        row.announced = True
    if data.job_type is not None:
        row.job_type = data.job_type[:MAX_NAME]
    if data.stream is not None:
        row.stream = data.stream
    if data.origin is not None:
        _origin(working, row, data.origin)
    for name, value in {**data.metrics, **data.totals}.items():
        reason = f"{name[:100]}: a job's metrics are the totals of its clients; send it with a client in the subject"
        working.set_aside("value", reason, event, {name: value}, "totals" if name in data.totals else "metrics")
        working.line(row, "notes", reason)
    _texts(working, row, data)
    if data.error is not None:
        working.line(row, "notes", f"error: {data.error}")
    _conclude(working, row, event)


def _origin(working: Working, row: JobRow, told: str) -> None:
    """Each maker of the run ID is noted once, however many of its announcements come."""
    origin = "".join(told[:_MAX_ORIGIN].split())
    known = [] if row.origin is None else row.origin.split()
    if not origin or origin in known:
        return
    if len(known) < _MAX_ORIGINS:
        row.origin = " ".join([*known, origin])
    if known:
        working.changes.counts["run_id_collisions"] += 1
        text = "integrity: two jobs have taken this run ID (it was made while Redis was away); their numbers are mixed"
        working.warn(row, "integrity", text)


def _touch(working: Working, row: AnyRow, event: Event, *, is_work: bool) -> None:
    """What every event does: it counts, and is a sign of life. The span of the row begins with any event; only work moves its end, and a
    start or a heartbeat is none (spec §2)."""
    row.events += 1
    working.touched.add(event.subject)
    sign_of_life(working, row)
    at = working.at
    if row.start is None or at < row.start:
        row.start = at
    if is_work and (row.end is None or at > row.end):
        row.end = at


def _texts(working: Working, row: AnyRow, data: Data) -> None:
    if data.note is not None:
        working.line(row, "notes", data.note)


def _conclude(working: Working, row: AnyRow, event: Event) -> None:
    """Take the outcome an event tells: by its status, else by one among its metrics, else by `success` on a completion."""
    data = event.data
    told = data.status is not None and tell_status(working, row, event, data.status)
    if told or working.status_from is event or event.type not in _COMPLETIONS:
        return
    if isinstance(event, Flawed) and event.lacks("success"):
        # Nobody can tell which it was: as with an unknown status, the sweeper closes the row if nothing else does.
        return
    tell(working, row, Status.FAILED if data.success is False else Status.COMPLETED)


def drop_flaws(working: Working, row: AnyRow, event: Flawed) -> None:
    """Set aside the fields that could not be used, each alone, with a note."""
    for flaw in event.flaws:
        working.set_aside("value", flaw.reason, event, {flaw.field: flaw.value}, "data")
        working.line(row, "notes", f"field dropped: {flaw.reason}")
    working.touched.add(row.row_id)


def says_nothing(data: Data) -> bool:
    """Whether a request for a job's row brings nothing to be put into it."""
    told = (data.status, data.job_type, data.stream, data.origin, data.note, data.error)
    return not data.metrics and not data.totals and all(value is None for value in told)
