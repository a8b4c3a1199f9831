"""Rows: the state of one job or one client run, as the fold makes it and Redis holds it.

Plain values, no Redis and no Celery. A row is a hash of text fields: `state` holds everything small as JSON, the three
growing texts have fields of their own, so that a commit writes only those that changed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from contract.status import Status


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How work ended, as told by an event. `presumed`: the sweeper's guess, undone by any later real event.
    `other`: what a newer version has stored with it; kept until another outcome takes its place."""

    status: Status
    at: datetime
    presumed: bool = False
    other: dict[str, Any] = {}


class Row(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="kind"):
    """What job rows and client rows share. Times are aware, in UTC.

    `metrics`: display name -> int, Decimal, or text (datetimes as ISO text with microseconds and `Z`).
    `stamps`: for metrics that keep the last value, the event time of that value.
    `start`, `end`: first and last real event. `updated`: when the server received the last event folded.
    `seen_ms`: when the server received the last sign of life, heartbeats included.
    `other`: what a newer version has stored with the row; kept as it is, so that an older worker beside it loses nothing.
    `unknown`: values of metrics that no registry knows, kept apart, last value each.
    `notes` and its like: lines, oldest first; `dropped`: how many older lines of each text its bound pushed out.
    `outcome` is what an event said of the end of the work; `status` is what follows from it, and what the row shows.
    `partial`: made anew over a hash that could not be read, so it has only what was counted since.
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
    seen_ms: int = 0
    version: int = 0
    partial: bool = False
    other: dict[str, Any] = msgspec.field(default_factory=dict)
    notes: list[str] = msgspec.field(default_factory=list)
    dropped: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def row_id(self) -> str:
        """The row's key in Airtable and in Redis."""
        raise TypeError("a Row is a JobRow or a ClientRow")

    @property
    def terminal(self) -> bool:
        """True when nothing more is expected of the work."""
        return self.status is not Status.RUNNING


class ClientRow(Row, kw_only=True, tag="client"):
    """One client in a run. `skips`: reason code -> count. `announced`: its start was told, not inferred from a metric.
    `warned`: rates whose parts cannot be true, noted once each."""

    client: str
    name: str | None = None
    announced: bool = False
    warned: list[str] = msgspec.field(default_factory=list)
    skips: dict[str, int] = msgspec.field(default_factory=dict)
    errors: list[str] = msgspec.field(default_factory=list)
    progress: list[str] = msgspec.field(default_factory=list)

    @property
    def row_id(self) -> str:
        return f"{self.run}-{self.client}"


class JobRow(Row, kw_only=True, tag="job"):
    """One job. `metrics` are the totals over its clients; `clients` counts them by status; `with_errors` those that failed
    or recorded an error, `ended_with_errors` those of them that are done. `origin`: who made the run ID; after a collision more than
    one, with spaces between."""

    job_type: str | None = None
    stream: int | None = None
    origin: str | None = None
    announced: bool = False
    clients: dict[Status, int] = msgspec.field(default_factory=dict)
    with_errors: int = 0
    ended_with_errors: int = 0

    @property
    def row_id(self) -> str:
        return self.run


TEXTS = ("notes", "errors", "progress")
"""The growing texts: hash fields beside `state`, each a JSON list of lines."""

AnyRow = JobRow | ClientRow

_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], AnyRow] = msgspec.json.Decoder(AnyRow).decode
_decode_lines = msgspec.json.Decoder(list[str]).decode


def text(row: Row, name: str) -> str:
    """One of the growing texts, its lines joined, with a first line that counts those no longer kept. "" for a text the row has not."""
    lines: list[str] = getattr(row, name, [])
    dropped = row.dropped.get(name, 0)
    return "\n".join([f"({dropped} earlier lines not kept)", *lines] if dropped else lines)


def to_hash(row: AnyRow, texts: Collection[str] = TEXTS) -> dict[str, bytes]:
    """Hash fields to write for a row: `state`, `v`, and those of the growing texts that `texts` names."""
    fields = {name: _encode(getattr(row, name)) for name in texts if hasattr(row, name)}
    fields["state"] = _state(row)
    fields["v"] = b"%d" % row.version
    return fields


def _state(row: AnyRow) -> bytes:
    small = copy.copy(row)
    small.notes = []
    if isinstance(small, ClientRow):
        small.errors = small.progress = []
    outcome = row.outcome
    if not row.other and (outcome is None or not outcome.other):
        return _encode(small)
    small.other = {}
    state = {**row.other, **msgspec.to_builtins(small)}
    if outcome is not None and outcome.other:
        state["outcome"] = {**outcome.other, **state["outcome"]}
        del state["outcome"]["other"]
    return _encode(state)


def from_hash(fields: Mapping[bytes, bytes], decimals: Collection[str]) -> AnyRow:
    """The row that `to_hash` wrote. `decimals`: display names of the metrics whose values are decimals.

    Raises msgspec.DecodeError for a hash that holds no row.
    """
    row = _row(fields[b"state"])
    for name in decimals:
        if name in row.metrics:
            row.metrics[name] = Decimal(row.metrics[name])
    for name in TEXTS:
        lines = fields.get(name.encode())
        if lines is not None:
            setattr(row, name, _decode_lines(lines))
    return row


def _row(state: bytes) -> AnyRow:
    try:
        return _decode(state)
    except msgspec.ValidationError:
        return _row_with_other(state)


def _row_with_other(state: bytes) -> AnyRow:
    """The row of a state that holds fields this version does not know."""
    values = msgspec.json.decode(state, type=dict[str, Any])
    kinds: dict[Any, type[AnyRow]] = {"job": JobRow, "client": ClientRow}
    kind = kinds.get(values.get("kind"))
    if kind is None:
        raise msgspec.ValidationError(f"no kind of row: {values.get('kind')!r}")
    known, other = _parted(values, {"kind", *kind.__struct_fields__})
    if isinstance(known.get("outcome"), dict):
        outcome, more = _parted(known["outcome"], Outcome.__struct_fields__)
        known["outcome"] = {**outcome, "other": more}
    row: AnyRow = msgspec.convert(known, kind, strict=False)
    row.other = other
    return row


def _parted(values: dict[str, Any], names: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of these names, and the others."""
    known = {name: value for name, value in values.items() if name in names}
    return known, {name: value for name, value in values.items() if name not in names}
