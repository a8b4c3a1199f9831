"""The rows a fold is working on: copies, made at the first touch, so that a fold that is never committed changes nothing."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from contract.events import Event, Flawed, Malformed
from worker.fold.changes import Changes, Known, Letter, Warned
from worker.fold.rules import Rules, Target
from worker.rows import TEXTS, AnyRow, ClientRow, JobRow

NewRow = TypeVar("NewRow", JobRow, ClientRow)

MAX_LINES = 100
"""Most lines kept of a growing text; older ones are counted in `dropped`."""

MAX_LINE = 1_000
"""Most characters kept of a line."""

_CONTROLS = {code: " " for code in (*range(32), 127) if chr(code) not in "\n\t"}


class Working:
    """One fold in progress. `received_ms`, `at`: when the server got the event in hand, and when it happened."""

    __slots__ = (
        "at",
        "changes",
        "clients",
        "known",
        "presumed",
        "rated_by",
        "rebuilt",
        "received_ms",
        "recounts",
        "regroups",
        "rows",
        "rules",
        "status_from",
        "touched",
    )

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
        self.regroups: set[str] = set()
        """Runs whose clients are to be counted anew by their status."""
        self.rebuilt: set[str] = set()
        """Row IDs of rows taken as the log gives them: their job counts them already, or is counted anew."""
        self.rated_by: Event | None = None
        """The last event with a metric of a rate in another spelling, or another form, than most have."""
        self.status_from: Event | None = None
        """The last event whose metrics told a status: on a completion, that counts and not `success`."""
        self.received_ms = 0
        self.at = datetime.fromtimestamp(0, UTC)

    def knows(self, row_id: str) -> bool:
        """Whether there is such a row already."""
        return row_id in self.rows or row_id in self.known.rows

    def is_new(self, row_id: str) -> bool:
        """Whether there was nothing of this row, not even what could not be read."""
        return not self.knows(row_id) and row_id not in self.known.unreadable

    def row(self, target: Target) -> AnyRow:
        """The row that the target names, to work on."""
        return self.job(target.run) if target.client is None else self.client(target)

    def job(self, run: str) -> JobRow:
        """The job's row to work on; a new one if there is none."""
        row = self.rows.get(run)
        if row is None:
            known = self.known.rows.get(run)
            row = self.rows[run] = self._new(JobRow(run=run)) if known is None else _copied(known)
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
                row = self._new(ClientRow(run=target.run, client=target.client))
                if self.is_new(target.run):
                    self.line(self.job(target.run), "notes", "created by a client's first event: its start was never announced")
                self.changes.clients.setdefault(target.run, []).append(target.client)
            else:
                row = _copied(known)
            self.rows[target.row_id] = row
            self.job(target.run)
        assert isinstance(row, ClientRow)
        self.clients[target.row_id] = row
        return row

    def _new(self, row: NewRow) -> NewRow:
        """A row that there was none of; or one that could not be read, which is set aside and made anew."""
        if row.row_id in self.known.unreadable:
            reason = self.set_row_aside(row.row_id)
            row.partial = True
            row.version = self.known.unreadable[row.row_id].version
            self.changes.texts[row.row_id] = set(TEXTS)
            self.line(row, "notes", f"integrity: {reason}. This one has only what was counted since; `runtally verify --repair` can help")
            # A client's row no longer says what the job counts it as. A job's totals are to be had from its clients.
            (self.recounts if isinstance(row, JobRow) else self.regroups).add(row.run)
        else:
            self.changes.made.add(row.row_id)
        return row

    def set_row_aside(self, row_id: str) -> str:
        """Keep what stands there instead of a row as a dead letter; the reason."""
        unreadable = self.known.unreadable[row_id]
        reason = f"the row that was there could not be read: {unreadable.reason}"
        origin = {"row": row_id, "offset": self.changes.offset, "time": self.at.isoformat()}
        self.changes.letters.append(Letter("row", reason, origin, unreadable.content))
        self.changes.counts["dead_row"] += 1
        if unreadable.no_hash:
            self.changes.aside.add(row_id)
        return reason

    def line(self, row: AnyRow, name: str, text: str) -> None:
        """Append a line to one of the row's growing texts, with the event's time in front; bounded in lines and length."""
        lines: list[str] = [*getattr(row, name), f"[{self.at:%Y-%m-%d %H:%M:%S}Z] {text[:MAX_LINE].translate(_CONTROLS)}"]
        excess = len(lines) - MAX_LINES
        if excess > 0:
            row.dropped[name] = row.dropped.get(name, 0) + excess
            lines = lines[excess:]
        setattr(row, name, lines)
        self.changes.texts.setdefault(row.row_id, set()).add(name)

    def line_once(self, row: AnyRow, name: str, text: str) -> None:
        """`line`, unless the text has this line already, of whatever time: for what may come with every event."""
        ending = f"Z] {text[:MAX_LINE].translate(_CONTROLS)}"
        if not any(line.endswith(ending) for line in getattr(row, name)):
            self.line(row, name, text)

    def warn(self, row: AnyRow, kind: str, text: str) -> None:
        """A note that the log gets too."""
        self.line(row, "notes", text)
        self.tell_log(row, kind, text)

    def tell_log(self, row: AnyRow, kind: str, text: str) -> None:
        """A line of the log that is no note."""
        client = row.client if isinstance(row, ClientRow) else None
        self.changes.warnings.append(Warned(kind, text, row.run, client))

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
    if isinstance(what, Flawed):
        return what.raw
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
