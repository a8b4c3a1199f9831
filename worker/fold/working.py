"""The rows a fold is working on: copies, made at the first touch, so that a fold that is never committed changes nothing."""

from __future__ import annotations

import copy
from datetime import UTC, datetime

import msgspec

from contract.events import Event, Malformed
from worker.fold.changes import Changes, Known, Letter
from worker.fold.rules import Rules, Target
from worker.rows import AnyRow, ClientRow, JobRow

MAX_LINES = 100
"""Most lines kept of a growing text; older ones are counted in `dropped`."""

MAX_LINE = 1_000
"""Most characters kept of a line."""

_CONTROLS = {code: " " for code in (*range(32), 127) if chr(code) not in "\n\t"}


class Working:
    """One fold in progress. `received_ms`, `at`: when the server got the event in hand, and when it happened."""

    __slots__ = ("at", "changes", "clients", "known", "presumed", "rebuilt", "received_ms", "recounts", "rows", "rules", "touched")

    def __init__(self, rules: Rules, known: Known, offset: str) -> None:
        self.rules = rules
        self.known = known
        self.changes = Changes(offset=offset, received_ms=0)
        self.rows = self.changes.rows
        self.touched = self.changes.touched
        self.clients: dict[str, ClientRow] = {}
        """Subject -> row, of the client rows that an event with this subject has touched."""
        self.presumed: set[str] = set()
        """Runs whose job the sweeper has closed: a sign of life of any client opens them again."""
        self.recounts: set[str] = set()
        """Runs whose job row is to be counted anew from its client rows."""
        self.rebuilt: set[str] = set()
        """Row IDs of rows taken as the log gives them: their job counts them already, or is counted anew."""
        self.received_ms = 0
        self.at = datetime.fromtimestamp(0, UTC)

    def knows(self, row_id: str) -> bool:
        """Whether there is such a row already."""
        return row_id in self.rows or row_id in self.known.rows

    def row(self, target: Target) -> AnyRow:
        """The row that the target names, to work on."""
        return self.job(target.run) if target.client is None else self.client(target)

    def job(self, run: str) -> JobRow:
        """The job's row to work on; a new one if there is none."""
        row = self.rows.get(run)
        if row is None:
            known = self.known.rows.get(run)
            row = self.rows[run] = JobRow(run=run) if known is None else _copied(known)
            if row.outcome is not None and row.outcome.presumed:
                self.presumed.add(run)
        assert isinstance(row, JobRow)
        return row

    def client(self, target: Target) -> ClientRow:
        """The client run's row to work on; a new one, entered in its job, if there is none."""
        row = self.rows.get(target.row_id)
        if row is None:
            known = self.known.rows.get(target.row_id)
            if known is None:
                assert target.client is not None
                row = ClientRow(run=target.run, client=target.client)
                if target.run not in self.rows and target.run not in self.known.rows:
                    self.line(self.job(target.run), "notes", "created by a client's first event: its start was never announced")
                self.changes.clients.setdefault(target.run, []).append(target.client)
            else:
                row = _copied(known)
            self.rows[target.row_id] = row
            self.job(target.run)
        assert isinstance(row, ClientRow)
        self.clients[target.row_id] = row
        return row

    def line(self, row: AnyRow, name: str, text: str) -> None:
        """Append a line to one of the row's growing texts, with the event's time in front; bounded in lines and length."""
        lines: list[str] = [*getattr(row, name), f"[{self.at:%Y-%m-%d %H:%M:%S}Z] {text[:MAX_LINE].translate(_CONTROLS)}"]
        excess = len(lines) - MAX_LINES
        if excess > 0:
            row.dropped[name] = row.dropped.get(name, 0) + excess
            lines = lines[excess:]
        setattr(row, name, lines)
        self.changes.texts.setdefault(row.row_id, set()).add(name)

    def set_aside(self, kind: str, reason: str, event: Event | Malformed, what: object, part: str = "") -> None:
        """Keep `what` as a dead letter. Its neighbours count. `part`: where in the event's data a value stood."""
        origin = {"source": event.source or "", "id": event.id or "", "offset": self.changes.offset, "time": self.at.isoformat()}
        if isinstance(event, Event):
            origin |= {"subject": event.subject, "type": event.type}
        if part:
            origin["part"] = part
        self.changes.letters.append(Letter(kind, reason, origin, as_letter(what)))
        self.changes.counts[f"dead_{kind}"] += 1


def as_letter(what: object) -> bytes:
    """What is set aside, as the text a dead letter keeps."""
    if isinstance(what, bytes):
        return what
    try:
        return msgspec.json.encode(what)
    except RecursionError:
        # The decoder goes a little deeper than the encoder.
        return b'"nested too deeply to be kept; the event is in the log, at this offset"'


def _copied(row: AnyRow) -> AnyRow:
    """A copy whose mappings may be changed; growing texts are replaced by `line`, never changed in place."""
    twin = copy.copy(row)
    twin.metrics = row.metrics.copy()
    twin.stamps = row.stamps.copy()
    twin.unknown = row.unknown.copy()
    twin.dropped = row.dropped.copy()
    if isinstance(twin, ClientRow):
        twin.skips = twin.skips.copy()
    else:
        twin.clients = twin.clients.copy()
    return twin
