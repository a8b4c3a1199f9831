"""One run by itself: its statuses, its job against its clients, and what points at its rows. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import structs

from contract.registry import Registry
from contract.status import Status
from worker.fold.recount import is_total, sums_of
from worker.fold.standing import client_status, job_status
from worker.rows import ClientRow, JobRow
from worker.verify.clock import Clock
from worker.verify.finding import Finding, Kind, Mend
from worker.verify.snapshot import Snapshot, Stored

_ONLY_THE_LOG = "only the log can give it back; once an event has come for it, a dead letter of kind row keeps what stood there"
_REFUSED = "if Airtable refused it, the dead letters say why"


def check_run(snapshot: Snapshot, registry: Registry, clock: Clock) -> list[Finding]:
    """Everything that is wrong with the run as Redis has it."""
    if not snapshot.rows:
        return list(_nothing(snapshot, clock))
    found = [*_readable(snapshot), *_client_statuses(snapshot, registry), *_marks(snapshot), *_index(snapshot)]
    lost = list(_members(snapshot))
    found += lost
    if snapshot.job is None:
        found += [
            _finding(
                snapshot, Kind.ORPHAN, client, _Shown("job row", "none", "one"), Mend.REBUILD, "without the log: made from its client rows"
            )
            for client in sorted(snapshot.clients)
        ]
    elif snapshot.job_row is not None:
        readable = len(snapshot.client_rows) == len(snapshot.clients) and not any(row.partial for row in snapshot.client_rows.values())
        whole = readable and not snapshot.no_set and not any(finding.kind is Kind.LOST for finding in lost)
        found += _job(snapshot, snapshot.job_row, registry) if whole else []
    return found


class _Shown(NamedTuple):
    """What there is, and what there should be."""

    what: str
    found: str
    expected: str


def _finding(snapshot: Snapshot, kind: Kind, client: str | None, shown: _Shown, mend: Mend, hint: str = "") -> Finding:
    return Finding(kind=kind, run=snapshot.run, client=client, **shown._asdict(), mend=mend, hint=hint)


def _nothing(snapshot: Snapshot, clock: Clock) -> Iterator[Finding]:
    """The index names a run of which there is no row. An old entry is about to go."""
    if snapshot.indexed_ms is not None and clock.kept(snapshot.indexed_ms):
        yield _finding(
            snapshot,
            Kind.INDEX,
            None,
            _Shown("index of runs", "an entry", "no entry, or rows"),
            Mend.REBUILD,
            "without the log: the entry goes",
        )


def _readable(snapshot: Snapshot) -> Iterator[Finding]:
    for stored in snapshot.rows:
        if stored.row is None or stored.row.partial:
            there = stored.reason or "only what was counted since it could not be read"
            shown = _Shown("row", there, "the whole row")
            yield _finding(snapshot, Kind.UNREADABLE, _client_of(snapshot, stored), shown, Mend.REBUILD, _ONLY_THE_LOG)


def _client_statuses(snapshot: Snapshot, registry: Registry) -> Iterator[Finding]:
    for client, row in snapshot.client_rows.items():
        written = snapshot.clients[client].odd_status or row.status
        expected = client_status(row, registry)
        if written != expected:
            yield _finding(snapshot, Kind.STATUS, client, _Shown("Status", written, expected), Mend.RECOUNT)


def _marks(snapshot: Snapshot) -> Iterator[Finding]:
    """Rows whose marks are gone: neither written to Airtable nor waiting for it, or open and not looked after by the sweeper."""
    for stored in snapshot.rows:
        if stored.row is None:
            continue
        client = _client_of(snapshot, stored)
        if not stored.dirty and stored.sent_version != stored.version:
            sent = f"version {stored.sent_version}" if stored.sent_version else "nothing"
            yield _finding(
                snapshot, Kind.UNFLUSHED, client, _Shown("Airtable has", sent, f"version {stored.version}"), Mend.WRITE, _REFUSED
            )
        if stored.row.status is Status.RUNNING and stored.odd_status is None and not stored.watched:
            yield _finding(snapshot, Kind.UNWATCHED, client, _Shown("open rows", "not there", "there, as it is Running"), Mend.RECOUNT)


def _index(snapshot: Snapshot) -> Iterator[Finding]:
    """Rows that no list shows, and that would never go."""
    if snapshot.indexed_ms is None:
        yield _finding(snapshot, Kind.UNINDEXED, None, _Shown("index of runs", "no entry", "an entry"), Mend.RECOUNT)


def _members(snapshot: Snapshot) -> Iterator[Finding]:
    """The set of clients against the rows. A row that the job still counts was lost; a member that nobody counts points nowhere."""
    if snapshot.no_set:
        hint = "the set begins anew with all clients that have a row"
        yield _finding(snapshot, Kind.KEY, None, _Shown("set of clients", "of another type", "a set"), Mend.RECOUNT, hint)
    absent = sorted(snapshot.members - snapshot.clients.keys())
    job = snapshot.job_row
    counted = job is None or sum(job.clients.values()) > len(snapshot.clients)
    for client in absent:
        if counted:
            hint = "only the log can give it back; without it the job's totals stay as they are"
            yield _finding(snapshot, Kind.LOST, client, _Shown("row", "none", "one: its job counts it"), Mend.REBUILD, hint)
        else:
            yield _finding(snapshot, Kind.DANGLING, client, _Shown("set of clients", "names it", "no such row"), Mend.FORGET)
    if snapshot.job is not None:
        for client in sorted(snapshot.clients.keys() - snapshot.members):
            yield _finding(snapshot, Kind.ORPHAN, client, _Shown("set of clients", "lacks it", "names it"), Mend.RECOUNT)


def _job(snapshot: Snapshot, job: JobRow, registry: Registry) -> Iterator[Finding]:
    """The job row against all its client rows, their statuses as they should be."""
    clients = [structs.replace(row, status=client_status(row, registry)) for row in snapshot.client_rows.values()]
    sums = sums_of(clients, registry)
    written = {name: value for name, value in job.metrics.items() if is_total(registry, name)}
    for name in sorted(written.keys() | sums.metrics.keys()):
        if written.get(name) != sums.metrics.get(name):
            yield _job_finding(snapshot, Kind.TOTAL, name, written.get(name), sums.metrics.get(name))
    for status in Status:
        if job.clients.get(status, 0) != sums.clients.get(status, 0):
            yield _job_finding(snapshot, Kind.CLIENTS, f"clients {status}", job.clients.get(status, 0), sums.clients.get(status, 0))
    if job.with_errors != sums.with_errors:
        yield _job_finding(snapshot, Kind.CLIENTS, "clients with errors", job.with_errors, sums.with_errors)
    if job.ended_with_errors != sums.ended_with_errors:
        yield _job_finding(snapshot, Kind.CLIENTS, "ended clients with errors", job.ended_with_errors, sums.ended_with_errors)
    assert snapshot.job is not None
    written_status, expected = snapshot.job.odd_status or str(job.status), job_status(structs.replace(job, clients=sums.clients))
    if written_status != expected:
        yield _job_finding(snapshot, Kind.STATUS, "Status", written_status, expected)
    yield from _times(snapshot, job, clients)


def _times(snapshot: Snapshot, job: JobRow, clients: list[ClientRow]) -> Iterator[Finding]:
    start = min((row.start for row in clients if row.start is not None), default=None)
    end = max((row.end for row in clients if row.end is not None), default=None)
    if start is not None and (job.start is None or job.start > start):
        yield _job_finding(snapshot, Kind.TIMES, "start", job.start, f"{start} or before")
    if end is not None and (job.end is None or job.end < end):
        yield _job_finding(snapshot, Kind.TIMES, "end", job.end, f"{end} or after")


def _job_finding(snapshot: Snapshot, kind: Kind, what: str, found: object, expected: object) -> Finding:
    return _finding(snapshot, kind, None, _Shown(what, _shown(found), _shown(expected)), Mend.RECOUNT)


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)


def _client_of(snapshot: Snapshot, stored: Stored) -> str | None:
    return None if stored is snapshot.job else stored.ref.row_id.removeprefix(f"{snapshot.run}-")
