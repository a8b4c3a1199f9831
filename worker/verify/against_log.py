"""Rows against those that the log gives. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from worker.rows import TEXTS, AnyRow, ClientRow, JobRow, to_hash
from worker.store.legible import version_of
from worker.verify.cells import shown
from worker.verify.finding import Finding, Kind, Mend
from worker.verify.snapshot import Snapshot, Stored

_OF_COMMITS = frozenset({"run", "client", "version", "updated", "metrics", "dropped", *TEXTS})
"""What tells of commits and recounts rather than of events, and what is compared by itself."""

_RECOUNTED = "Z] recounted"
"""In every note that a recount makes: the log need not repeat what was mended."""

Rows = Mapping[str, AnyRow]


def whole(snapshot: Snapshot, rows: Rows, trimmed: bool) -> str:
    """ "" when the log has the run's whole history, else why it cannot be said.

    A log that has lost its beginning has the whole run if it has the start of its job, and as many events as each row has counted.
    """
    if not trimmed:
        return ""
    job = rows.get(snapshot.run)
    if not isinstance(job, JobRow):
        return "the log is trimmed and has nothing of it any more"
    if not job.announced:
        return "the log is trimmed and does not have its start any more"
    for stored in snapshot.rows:
        if stored.row is not None:
            given = rows.get(stored.ref.row_id)
            if given is None or given.events < stored.row.events:
                there = 0 if given is None else given.events
                return f"the log is trimmed: of {stored.ref.row_id} it has {there} of {stored.row.events} events"
    return ""


def compare(snapshot: Snapshot, rows: Rows) -> list[Finding]:
    """What differs between the rows of a run and those that the whole log gives, both at the same offset."""
    stored = {row.ref.row_id: row for row in snapshot.rows}
    found: list[Finding] = []
    for row_id, given in rows.items():
        if row_id not in stored:
            found.append(_finding(snapshot, given, Kind.LOST, "row", "none", "one: the log makes it"))
        else:
            found += _differences(snapshot, stored[row_id], given)
    for row_id, kept in stored.items():
        if row_id not in rows and kept.row is not None:
            never = _finding(snapshot, kept.row, Kind.REPLAY, "row", "one", "none: the log has no event of it")
            never.mend, never.hint = Mend.BY_HAND, "somebody wrote it past the log: decide whether it counts"
            found.append(never)
    return found


def rebuilt(snapshot: Snapshot, rows: Rows) -> dict[str, dict[str, Any]]:
    """The rows to be taken as the log gives them, in the form of an event's data: those that are not there or differ."""
    stored = {row.ref.row_id: row for row in snapshot.rows}
    wanted = {}
    for row_id, given in rows.items():
        kept = stored.get(row_id)
        if kept is None or kept.row is None or _differences(snapshot, kept, given):
            fields = {name: value.decode() for name, value in to_hash(given).items()}
            wanted[row_id] = {"fields": fields, "replaces": 0 if kept is None else version_of(kept.version)}
    return wanted


def _differences(snapshot: Snapshot, stored: Stored, given: AnyRow) -> list[Finding]:
    row = stored.row
    if row is None:
        return []  # unreadable, which is a finding already
    found = [
        _finding(snapshot, given, Kind.REPLAY, name, shown(row.metrics.get(name)), shown(given.metrics.get(name)))
        for name in sorted(row.metrics.keys() | given.metrics.keys())
        if row.metrics.get(name) != given.metrics.get(name)
    ]
    for name in type(given).__struct_fields__:
        if name not in _OF_COMMITS and getattr(row, name) != getattr(given, name):
            found.append(_finding(snapshot, given, Kind.REPLAY, name, shown(getattr(row, name)), shown(getattr(given, name))))
    return found + list(_texts(snapshot, row, given))


def _texts(snapshot: Snapshot, row: AnyRow, given: AnyRow) -> Iterator[Finding]:
    """Lines, without those of recounts. Of a text that has lost lines to its bound, as many of the newest as both have: a recount's line
    pushes another out."""
    for name in TEXTS:
        kept, wanted = _own_lines(row, name), _own_lines(given, name)
        if row.dropped.get(name, 0) and given.dropped.get(name, 0):
            both = min(len(kept), len(wanted))
            kept, wanted = kept[-both:], wanted[-both:]
        if kept != wanted:
            yield _finding(snapshot, given, Kind.REPLAY, name, shown("\n".join(kept)), shown("\n".join(wanted)))


def _own_lines(row: AnyRow, name: str) -> list[str]:
    lines: list[str] = getattr(row, name, [])
    return [line for line in lines if _RECOUNTED not in line]


def _finding(snapshot: Snapshot, row: AnyRow, kind: Kind, what: str, found: str, expected: str) -> Finding:
    client = row.client if isinstance(row, ClientRow) else None
    place = "redis" if kind is Kind.LOST else "log"
    return Finding(kind=kind, place=place, run=snapshot.run, client=client, what=what, found=found, expected=expected, mend=Mend.REBUILD)
