"""What goes into a fold and what comes out of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from contract.events import Event, Malformed
from worker.rows import AnyRow


class Entry(NamedTuple):
    """One log entry, decoded. `offset`: its ID (`<ms>-<n>`); `received_ms`: the server's clock when it was appended."""

    offset: str
    received_ms: int
    events: list[Event] | list[Event | Malformed]


class Unreadable(NamedTuple):
    """What stands where a row should be and is none: why, the version it tells (0 for none), and what stands in it, bounded.

    `no_hash`: it is no hash at all, so that no row can be written before it is moved aside.
    """

    reason: str
    version: int
    content: bytes
    no_hash: bool = False


@dataclass(slots=True)
class Known:
    """What Redis knew before these entries, for as much of it as they touch (see needs_of).

    `rows`: row ID -> row, absent when there is none. `marks`: publisher -> highest sequence folded.
    `seen`: digests of the identities that were folded before, among those asked for.
    `unreadable`: row ID -> what stands there instead of a row; then all readable rows of its run are in `rows`.
    `retired`: run -> ms when its rows had had their time and went, of the runs that have no row in `rows`.
    """

    rows: dict[str, AnyRow] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    retired: dict[str, int] = field(default_factory=dict)


class Letter(NamedTuple):
    """A dead letter: what was set aside, alone. `kind`: event, value, status or row. `origin`: where it stood, as text -> text."""

    kind: str
    reason: str
    origin: dict[str, str]
    letter: bytes


class Warned(NamedTuple):
    """What the log should say of a row. `kind`: integrity, or unknown_metric. `client_id` is None for a job."""

    kind: str
    reason: str
    run_id: str
    client_id: str | None


@dataclass(slots=True)
class Changes:
    """What one commit stores, all of it or nothing.

    `rows`: row ID -> row as it is now. `touched`: those that say something new; the others have only given a sign of life,
    which is stored, but is no reason to write them to Airtable. `texts`: row ID -> growing texts that changed.
    `aside`: IDs of rows in whose place something stands that is no hash, and is moved aside.
    `made`: row IDs of those that there was nothing of before; all others must still be there when this is committed.
    `marks`: publisher -> sequence.
    `ids`: bucket -> digests first seen now (a dict for its order). `clients`: run -> client IDs new in it.
    `runs`: run -> ms of its last event.
    `counts`: what happened, by name, to be added to the partition's counters. `warnings` are for the log, not stored.
    """

    offset: str
    received_ms: int
    rows: dict[str, AnyRow] = field(default_factory=dict)
    texts: dict[str, set[str]] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    aside: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)
    marks: dict[str, int] = field(default_factory=dict)
    ids: dict[int, dict[str, None]] = field(default_factory=dict)
    clients: dict[str, list[str]] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
