"""Rows: the state of one job or one client run, as the fold makes it and Redis holds it.

Plain values, no Redis and no Celery. A row is a hash of text fields: `state` holds everything small as JSON, the three
growing texts have fields of their own, so that a commit writes only those that changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from contract.status import Status


class Outcome(msgspec.Struct, frozen=True):
    """How work ended, as told by an event. `presumed`: the sweeper's guess, undone by any later real event."""

    status: Status
    at: datetime
    presumed: bool = False


class Texts(msgspec.Struct):
    """The growing texts of a row, oldest line first. `dropped` counts the lines that the bound (fold.MAX_LINES) pushed out."""

    lines: list[str] = msgspec.field(default_factory=list)
    dropped: int = 0

    def render(self) -> str:
        """The lines joined, with a first line that says how many older ones are not shown."""
        head = [f"({self.dropped} earlier lines not kept)"] if self.dropped else []
        return "\n".join(head + self.lines)


class Row(msgspec.Struct, kw_only=True):
    """What job rows and client rows share. Times are aware, in UTC.

    `metrics`: display name -> int, Decimal, or text (datetimes as ISO text with microseconds and `Z`).
    `stamps`: for metrics that keep the last value, the event time of that value.
    `start`, `end`: first and last real event. `updated`: when the server received the last event folded.
    `unknown`: values of metrics that no registry knows, kept apart, last value each.
    `work`: whether the orchestrator or the scorer said so is in `outcome`; `status` is what the row shows.
    """

    run: str
    status: Status = Status.RUNNING
    outcome: Outcome | None = None
    start: datetime | None = None
    end: datetime | None = None
    updated: datetime | None = None
    metrics: dict[str, Any] = msgspec.field(default_factory=dict)
    stamps: dict[str, datetime] = msgspec.field(default_factory=dict)
    unknown: dict[str, Any] = msgspec.field(default_factory=dict)
    events: int = 0
    version: int = 0
    notes: Texts = msgspec.field(default_factory=Texts)

    @property
    def row_id(self) -> str:
        """The row's key in Airtable and in Redis."""
        raise TypeError("a Row is a JobRow or a ClientRow")

    @property
    def terminal(self) -> bool:
        """True when nothing more is expected of the work."""
        return self.status is not Status.RUNNING


class ClientRow(Row, kw_only=True):
    """One client in a run. `skips`: reason code -> count. `announced`: its start was told, not inferred from a metric."""

    client: str
    name: str | None = None
    announced: bool = False
    skips: dict[str, int] = msgspec.field(default_factory=dict)
    errors: Texts = msgspec.field(default_factory=Texts)
    progress: Texts = msgspec.field(default_factory=Texts)

    @property
    def row_id(self) -> str:
        return f"{self.run}-{self.client}"


class JobRow(Row, kw_only=True):
    """One job. `metrics` are the totals over its clients; `clients` counts them by status; `with_errors` those that failed
    or recorded an error."""

    job_type: str | None = None
    stream: int | None = None
    announced: bool = False
    clients: dict[Status, int] = msgspec.field(default_factory=dict)
    with_errors: int = 0

    @property
    def row_id(self) -> str:
        return self.run


TEXT_FIELDS = ("notes", "errors", "progress")
"""Hash fields beside `state`, each a Texts as JSON."""

_encode = msgspec.json.Encoder().encode
_decode_client = msgspec.json.Decoder(ClientRow).decode
_decode_job = msgspec.json.Decoder(JobRow).decode
_decode_texts = msgspec.json.Decoder(Texts).decode


def to_hash(row: Row, texts: frozenset[str] = frozenset(TEXT_FIELDS)) -> dict[str, bytes]:
    """Hash fields to write for a row: `state`, `v`, and those of the growing texts named in `texts`."""
    state = msgspec.structs.asdict(row)
    fields = {name: _encode(state.pop(name)) for name in TEXT_FIELDS if name in state and name in texts}
    for name in TEXT_FIELDS:
        state.pop(name, None)
    fields["state"] = _encode(state)
    fields["v"] = str(row.version).encode()
    return fields


def from_hash(fields: Mapping[bytes, bytes], decimals: frozenset[str]) -> JobRow | ClientRow:
    """The row that `to_hash` wrote. `decimals`: display names of the metrics whose values are decimals.

    Raises msgspec.ValidationError for a hash that is no row.
    """
    state = fields[b"state"]
    row: JobRow | ClientRow
    # A job has no `client`; the tag is not stored, since the row ID in the key already tells.
    try:
        row = _decode_client(state)
    except msgspec.ValidationError:
        row = _decode_job(state)
    for name in decimals & row.metrics.keys():
        row.metrics[name] = Decimal(row.metrics[name])
    for name in TEXT_FIELDS:
        if name.encode() in fields:
            setattr(row, name, _decode_texts(fields[name.encode()]))
    return row
