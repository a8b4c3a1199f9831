"""Events and their wire format: CloudEvents 1.0, in the CloudEvents JSON batch format, one batch a log entry.

`subject` is the run ID with the client, where there is one (`250930-141522-Jane-Doe`). `(source, id, subject)` is the identity: one
client's event is never another's, whatever IDs their senders choose. Publishers number their events with the `sequence` extension,
1, 2, 3 … a source and partition; events from elsewhere carry no sequence and are known by their identity. Sources: cloudevents.io
spec 1.0.2, and its extension `sequence`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType, structs

from contract.errors import ValueRejected
from contract.splitting import split_array
from contract.values import MAX_INTEGER, MIN_INTEGER, to_integer

MAX_EVENT_BYTES = 1_048_576
"""A larger event is refused by publishers and by the gateway."""


class EventType(StrEnum):
    """The types there are. Those that begin with `client` need a client in the subject, the others must have none."""

    JOB_STARTED = "job.started"
    CLIENT_STARTED = "client.run.started"
    METRICS_UPDATED = "client.metrics.updated"
    PROGRESS_LOGGED = "client.progress.logged"
    CLIENT_COMPLETED = "client.run.completed"
    CLIENT_HEARTBEAT = "client.run.heartbeat"
    CLIENT_EXPIRED = "client.run.expired"
    JOB_COMPLETED = "job.completed"
    JOB_HEARTBEAT = "job.heartbeat"
    JOB_EXPIRED = "job.expired"
    ROWS_REQUESTED = "job.rows.requested"
    ROWS_RECOUNTED = "job.rows.recounted"


INTERNAL_TYPES = frozenset({EventType.CLIENT_EXPIRED, EventType.JOB_EXPIRED, EventType.ROWS_RECOUNTED})
"""Runtally's own: the sweeper's and verify's. They stand in the log, and nobody else may send them."""


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the progress log: what was being done, and how it stands."""

    operation: str
    state: str
    text: str = ""


class Rebuilt(msgspec.Struct, frozen=True):
    """A row as the log gives it. `fields`: those of its hash, as text; `replaces`: the version of the row that was compared, 0 for none."""

    fields: dict[str, str]
    replaces: int = 0


# One for all events, and not to be changed: an empty dict of its own for each field left out took half of the time to decode an event.
_NOTHING: Mapping[str, Any] = MappingProxyType({})


Int64 = Annotated[int, Meta(ge=MIN_INTEGER, le=MAX_INTEGER)]


class Data(msgspec.Struct, omit_defaults=True, gc=False):
    """What an event says. Every field may be left out; unknown fields are ignored here and stay in the log.

    `metrics`: name -> observation, merged by the metric's aggregation. `totals`: name -> total so far, replaces a sum.
    `skips`: reason code -> count. `success`, `status`: how the work ended (completion events); `status` wins, but Running is no end.
    `seen_ms`: when the sweeper last saw a sign of life of what it closes; void if there was one since.
    `origin`: who made the run ID; two origins for one run are a collision, and reported.
    `clients`, `rows` (of `job.rows.recounted` only, which verify appends): client IDs whose rows are derived anew, even if the job's set of
    clients lacks them; row ID -> row to take, if it is still the version that was compared.
    `run_id`, `client_id`: for senders that repeat the subject's parts; a contradiction gets the event refused.
    """

    metrics: Mapping[str, Any] = _NOTHING
    totals: Mapping[str, Any] = _NOTHING
    skips: Mapping[str, Any] = _NOTHING
    status: Any = None
    success: bool | None = None
    client_name: str | None = None
    job_type: str | None = None
    stream: Int64 | None = None
    note: str | None = None
    error: str | None = None
    progress: Progress | None = None
    seen_ms: int | None = None
    origin: str | None = None
    clients: tuple[str, ...] = ()
    rows: Mapping[str, Rebuilt] = _NOTHING
    run_id: str | None = None
    client_id: str | None = None


Filled = Annotated[str, Meta(min_length=1, max_length=1024)]
Time = Annotated[datetime, Meta(tz=True)]


class Event(msgspec.Struct, gc=False):
    """One event, decoded and checked for shape; what it says is checked by the fold."""

    id: Filled
    source: Filled
    type: str
    subject: Filled
    specversion: Literal["1.0"] = "1.0"
    time: Time | None = None
    sequence: str | None = None
    data: Data = msgspec.field(default_factory=Data)


class Flaw(NamedTuple):
    """A field of an event's data that cannot be used: its name, why (a clause that begins with the name), and what stood there."""

    field: str
    reason: str
    value: object


class Flawed(Event):
    """An event without the fields of its data that cannot be used: the rest of it counts. `raw`: the whole text, as it came."""

    flaws: tuple[Flaw, ...] = ()
    raw: bytes = b""

    def lacks(self, field: str) -> bool:
        """Whether this field was there and cannot be used."""
        return any(flaw.field == field for flaw in self.flaws)


class Malformed(msgspec.Struct):
    """What stood in a batch and is no event: why, and the text itself. Identity as far as it could be read, else None."""

    reason: str
    raw: bytes
    source: str | None = None
    id: str | None = None
    sequence: str | None = None
    subject: str | None = None


class _Outgoing(msgspec.Struct):
    """An event as it is written: any mapping may be its data, and what is unset is left out."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    specversion: str = "1.0"
    sequence: str | UnsetType = UNSET
    data: dict[str, Any] | UnsetType = UNSET


def _as_text(value: object) -> str:
    """Whatever JSON has no form for travels as its text: the fold then sets that value aside, with the text as reason."""
    return str(value)[:200]


_encoder = msgspec.json.Encoder(enc_hook=_as_text)
_decode_events = msgspec.json.Decoder(list[Event]).decode
_decode_event = msgspec.json.Decoder(Event).decode
_decode_any = msgspec.json.Decoder().decode

# What an event may lack and still be one. Who it is about, and what Runtally tells itself, must be right.
_SIDE_FIELDS = {
    field.name: field.type
    for field in structs.fields(Data)
    if field.name not in {"status", "seen_ms", "clients", "rows", "run_id", "client_id"}
}

DECODE_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


def encode_event(  # the attributes of a CloudEvent
    *, id: str, source: str, type: str, subject: str, time: datetime, sequence: int | None, data: dict[str, Any]
) -> bytes:
    """One event as JSON. Not-a-number and infinity travel as text, since JSON has no form for them.

    Raises TypeError, ValueError or RecursionError for data that cannot be written (keys that are no text, cycles)."""
    for values in (data.get("metrics"), data.get("totals")):
        if values:
            for name, value in values.items():
                if value.__class__ is float and not -1e308 <= value <= 1e308:
                    values[name] = str(value)
    outgoing = _Outgoing(
        id=id,
        source=source,
        type=type,
        subject=subject,
        time=time,
        sequence=UNSET if sequence is None else str(sequence),
        data=data or UNSET,
    )
    return _encoder.encode(outgoing)


def join_batch(events: Iterable[bytes]) -> bytes:
    """Encoded events as one batch: what stands in a log entry's field `batch`."""
    return b"[" + b",".join(events) + b"]"


def decode_batch(batch: bytes) -> list[Event] | list[Event | Malformed]:
    """The events of a batch, in order; never raises for bad input. What is no event stands as Malformed in its place, and an event of
    which some side fields cannot be used as Flawed."""
    try:
        return _decode_events(batch)
    except DECODE_ERRORS:
        return _decode_one_by_one(batch)


def _decode_one_by_one(batch: bytes) -> list[Event | Malformed]:
    raws = split_array(batch)
    if raws is None:
        # A single event that is not in an array is what a hand-written XADD looks like.
        if not batch.lstrip().startswith(b"{"):
            return [Malformed(reason="not a JSON array of events", raw=batch)]
        raws = [batch]
    return [_decode_leniently(raw) for raw in raws]


def decode_event(raw: bytes) -> Event | Malformed:
    """The event of a JSON object, all of it fit to be used, or why it is not; never raises for bad input.

    For whoever can still refuse an event. What is in the log already is read by decode_batch, which takes what can be used of it."""
    try:
        return _decode_event(raw)
    except DECODE_ERRORS as error:
        return _malformed(raw, _attributes(raw), error)


def _decode_leniently(raw: bytes) -> Event | Malformed:
    try:
        return _decode_event(raw)
    except DECODE_ERRORS as error:
        attributes = _attributes(raw)
        try:
            return _without_flaws(raw, attributes)
        except DECODE_ERRORS:
            return _malformed(raw, attributes, error)


def _attributes(raw: bytes) -> dict[str, Any]:
    """The attributes of what may be an event; none when it is no JSON object."""
    try:
        found = _decode_any(raw)
    except DECODE_ERRORS:
        return {}
    return found if isinstance(found, dict) else {}


def _malformed(raw: bytes, attributes: Mapping[str, Any], error: Exception) -> Malformed:
    texts = {name: attributes[name] for name in ("source", "id", "sequence", "subject") if isinstance(attributes.get(name), str)}
    return Malformed(reason=f"not an event: {error}", raw=raw, **texts)


def _without_flaws(raw: bytes, attributes: Mapping[str, Any]) -> Event:
    """The event with those side fields that can be used. Raises DECODE_ERRORS when it is none even so."""
    told = attributes.get("data")
    data: dict[str, Any] = dict(told) if isinstance(told, dict) else {}
    flaws = []
    for name in _SIDE_FIELDS.keys() & data.keys():
        try:
            data[name] = _usable(name, data[name])
        except (ValueRejected, *DECODE_ERRORS) as error:
            flaws.append(Flaw(name, f"{name}: {error}", data.pop(name)))
    event = msgspec.convert({**attributes, "data": data} if flaws or data else attributes, Event)
    return Flawed(**structs.asdict(event), flaws=tuple(sorted(flaws)), raw=raw) if flaws else event


def _usable(name: str, value: object) -> object:
    """A side field's value in its type; numbers and truth values may come as text. Raises ValueRejected, msgspec.ValidationError."""
    try:
        return msgspec.convert(value, _SIDE_FIELDS[name])
    except msgspec.ValidationError:
        if name == "stream":
            return to_integer(value)
        if name == "success":
            return msgspec.convert(value, bool, strict=False)
        raise
