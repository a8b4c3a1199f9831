"""The fold itself: every event once, in log order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from contract.errors import EventRejected
from contract.events import Event, EventType, Flawed, Malformed
from worker.fold.apply import UNANNOUNCED, drop_flaws, says_nothing, to_client, to_job
from worker.fold.changes import Changes, Entry, Known
from worker.fold.derive import finish
from worker.fold.life import expire, sign_of_life
from worker.fold.needs import digest_of, is_sequence
from worker.fold.recount import ask
from worker.fold.rules import Rules, Target
from worker.fold.working import Working

_MOST_MISSING = 1_000_000
"""A gap counts for no more: the counters are 64-bit, and a sequence may jump."""

_TYPES = frozenset(EventType)
_JOB_TYPES = frozenset(kind for kind in EventType if kind.startswith("job."))
_EXPIRIES = frozenset({EventType.CLIENT_EXPIRED, EventType.JOB_EXPIRED})
_UPDATED = EventType.METRICS_UPDATED.value
_STARTED = EventType.JOB_STARTED.value
_REQUESTED = EventType.ROWS_REQUESTED.value
_RECOUNTED = EventType.ROWS_RECOUNTED.value
_HEARTBEATS = frozenset({EventType.CLIENT_HEARTBEAT, EventType.JOB_HEARTBEAT})


def fold(rules: Rules, known: Known, entries: Sequence[Entry]) -> Changes:
    """The changes that follow from `entries` (at least one, in log order, from one partition).

    Pure: `known` is not changed, and the same arguments give the same changes. Never raises for bad input: what cannot
    be used is in `changes.letters`, alone. A repeat (sequence at or below the watermark, or an identity seen before)
    changes nothing but a count.
    """
    working = Working(rules, known, entries[-1].offset)
    for entry in entries:
        working.received_ms = entry.received_ms
        working.changes.offset = entry.offset
        received = datetime.fromtimestamp(entry.received_ms / 1000, UTC)
        fresh = [event for event in entry.events if _first_time(working, event)]
        for event in fresh:
            working.at = received
            _apply(working, event)
        working.changes.counts["events"] += len(fresh)
    finish(working)
    return working.changes


def _first_time(working: Working, event: Event | Malformed) -> bool:
    """Whether this event was not folded before; notes that it is now."""
    sequence, source = event.sequence, event.source
    if sequence is None or not source or not is_sequence(sequence):
        return _first_seen(working, event)
    changes = working.changes
    number = int(sequence)
    mark = changes.marks.get(source)
    if mark is None:
        mark = working.known.marks.get(source, 0)
    if number != mark + 1:
        if number <= mark:
            changes.counts["duplicates"] += 1
            return False
        if mark:
            changes.counts["gaps"] += min(number - mark - 1, _MOST_MISSING)
    changes.marks[source] = number
    return True


def _first_seen(working: Working, event: Event | Malformed) -> bool:
    """The same for an event that no publisher has numbered."""
    changes = working.changes
    digest = digest_of(event)
    if digest in working.known.seen:
        changes.counts["duplicates"] += 1
        return False
    bucket = changes.ids.setdefault(working.received_ms // working.rules.id_bucket_ms, {})
    if any(digest in digests for digests in changes.ids.values()):
        changes.counts["duplicates"] += 1
        return False
    bucket[digest] = None
    return True


def _apply(working: Working, event: Event | Malformed) -> None:
    if isinstance(event, Malformed):
        working.set_aside("event", event.reason, event, event.raw)
        return
    try:
        time = event.time
        if time is not None:
            working.at = time if time.tzinfo is UTC else _in_utc(time)
        row = working.clients.get(event.subject)
        if row is not None and event.type == _UPDATED and event.data.run_id is None and event.data.client_id is None:
            # Nearly all events: what is left of _dispatch's checks was made when an event first had this subject.
            to_client(working, row, event)
            working.changes.runs[row.run] = working.received_ms
        else:
            _dispatch(working, event)
    except EventRejected as error:
        working.set_aside("event", str(error), event, event)
        return
    if event.__class__ is Flawed and working.knows(event.subject):
        drop_flaws(working, working.row(working.rules.target(event.subject)), event)


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise EventRejected(f"the time {time.isoformat()} lies outside the years 1 to 9999 in UTC") from None


def _dispatch(working: Working, event: Event) -> None:
    target = working.rules.target(event.subject)
    data = event.data
    if event.type not in _TYPES:
        raise EventRejected(f"unknown event type {event.type[:100]!r}; known are {', '.join(sorted(_TYPES))}")
    if data.run_id is not None and data.run_id not in (target.run, target.row_id):
        raise EventRejected(f"data.run_id {data.run_id[:100]!r} contradicts the subject {target.row_id!r}")
    if data.client_id is not None and data.client_id != target.client:
        raise EventRejected(f"data.client_id {data.client_id[:100]!r} contradicts the subject {target.row_id!r}")
    if (event.type in _JOB_TYPES) is (target.client is not None):
        wrong = "is about a job, but its subject names a client" if target.client else "needs a client, but its subject names none"
        raise EventRejected(f"{event.type} {wrong}: {target.row_id!r}")
    if event.type in _EXPIRIES:
        if working.knows(target.row_id) or target.row_id in working.known.unreadable:
            expire(working, working.row(target), event)
        return
    _refuse_retired(working, target.run)
    if event.type == _RECOUNTED:
        if not ask(working, target.run, event):
            return
    else:
        _use(working, target, event)
    working.changes.runs[target.run] = working.received_ms


def _refuse_retired(working: Working, run: str) -> None:
    """A row made now would have the latest events alone, and take the place of the good one in Airtable."""
    retired_ms = working.known.retired.get(run)
    if retired_ms is not None:
        on = datetime.fromtimestamp(retired_ms / 1000, UTC)
        raise EventRejected(
            f"the run's rows have expired, on {on:%Y-%m-%d} (RUNTALLY_RETENTION_S): what Airtable has stays as it is; "
            "sent again with another run as its subject it counts there"
        )


def _use(working: Working, target: Target, event: Event) -> None:
    """Apply an event that somebody at work has sent. A heartbeat is a sign of life, and of a row that is not there, its first."""
    if event.type in _HEARTBEATS and working.knows(target.row_id):
        sign_of_life(working, working.row(target))
    elif event.type == _REQUESTED and says_nothing(event.data):
        _request(working, target)
    elif target.client is None:
        new = working.is_new(target.run)
        job = working.job(target.run)
        if new and event.type != _STARTED:
            working.line(job, "notes", UNANNOUNCED)
        to_job(working, job, event)
    else:
        to_client(working, working.client(target), event)


def _request(working: Working, target: Target) -> None:
    """Have the job's row written. That somebody wants to see it is no event of the job, so nothing in the row changes."""
    if working.is_new(target.run):
        raise EventRejected(f"there is no row of job {target.run} to be written: nothing was ever told of it, or its time in Redis is over")
    working.job(target.run)
    working.touched.add(target.run)
