"""An event as somebody wrote it, checked here and now: what the fold would set aside later is refused, saying what to write instead."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, NamedTuple

from contract import run_id as run_ids
from contract.addressing import TYPES, check_address
from contract.errors import EventRejected, ValueRejected
from contract.events import MAX_EVENT_BYTES, Data, EventType, Malformed, decode_event, encode_event
from contract.registry import Registry
from contract.shown import shown
from contract.snake_case import snake_case
from contract.status import map_status
from contract.values import to_integer

_DATA = frozenset(Data.__struct_fields__) - {"run_id", "client_id", "rows", "clients", "seen_ms"}
_FIELDS = sorted(_DATA | {"type", "id", "time", "run_id", "client_id"})


class Checked(NamedTuple):
    """An event that will count. `row_id`: its run ID in standard form, with the client where it has one; None: of a job yet to get one."""

    type: str
    row_id: str | None
    data: dict[str, Any]
    id: str | None
    time: datetime | None


def check(fields: Mapping[str, Any], registry: Registry) -> Checked:
    """The event of these fields: `type`, `run_id`, `client_id`, `id`, `time`, and those of contract.events.Data.

    Raises EventRejected, RunIdInvalid, RunIdConflict or StatusUnknown; each says what to write instead.
    """
    for name in fields:
        if name not in _FIELDS:
            raise EventRejected(f"there is no field {shown(name)}{_meant(name, _FIELDS)}; an event may have {', '.join(_FIELDS)}")
    kind = fields.get("type")
    if kind not in TYPES:
        raise EventRejected(f"{shown(kind)} is no type of event{_meant(kind, TYPES)}; there are {', '.join(TYPES)}")
    row_id = _row_id(kind, fields.get("run_id"), fields.get("client_id"))
    data = {name: value for name, value in fields.items() if name in _DATA and value is not None}
    if "status" in data:
        map_status(data["status"])
    client = None if row_id is None else run_ids.require(row_id).client
    for part in ("metrics", "totals"):
        if part in data:
            data[part] = _metrics(data[part], part, client, registry, of_job=not kind.startswith("client."))
    if "skips" in data:
        data["skips"] = _skips(data["skips"])
    checked = Checked(kind, row_id, data, _text(fields.get("id")), _time(fields.get("time")))
    _check_shape(checked)
    return checked


def _row_id(kind: str, run_id: Any, client: Any) -> str | None:
    if run_id is None:
        if kind == EventType.JOB_STARTED and client is None:
            return None
        raise EventRejected(f"{kind} is about a run: give its run ID. `runtally emit job.started` begins one, and prints its ID")
    row_id = run_ids.convert(run_id) if client is None else run_ids.with_client(run_id, client)
    found = run_ids.require(row_id)
    assert found.base is not None
    check_address(kind, found.base, row_id)
    return row_id


def _metrics(values: Any, part: str, client: str | None, registry: Registry, *, of_job: bool) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise EventRejected(f"{part} are names with values, not {shown(values)}")
    if of_job and values:
        raise EventRejected(f"a job's metrics are the totals of its clients: send the {part} with client.metrics.updated and a client")
    return {name: _value(name, value, client, registry) for name, value in values.items()}


def _value(name: str, value: Any, client: str | None, registry: Registry) -> Any:
    metric = registry.resolve(name, client)
    if metric is None:
        keys = [metric.key for metric in registry.metrics]
        raise EventRejected(f"there is no metric {shown(name)}{_meant(snake_case(name), keys)}; docs/metrics.md says how to add your own")
    try:
        usable = metric.normalise(value)
    except ValueRejected as error:
        raise EventRejected(f"{metric.name} {error}") from None
    return str(usable) if isinstance(usable, Decimal) else usable


def _skips(values: Any) -> dict[str, int]:
    if not isinstance(values, Mapping):
        raise EventRejected(f"skips are reason codes with counts, not {shown(values)}")
    found = {}
    for reason, value in values.items():
        try:
            found[reason] = to_integer(value)
        except ValueRejected as error:
            raise EventRejected(f"the count of skips for {shown(reason)} {error}") from None
        if found[reason] < 0:
            raise EventRejected(f"the count of skips for {shown(reason)} is negative: {found[reason]}")
    return found


def _text(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    raise EventRejected(f"an event's id is a text, the same at each repeat, not {shown(value)}")


def _time(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise EventRejected(f"{shown(value)} is no time: write it as 2025-09-30T14:15:22Z") from None
    if time.tzinfo is None:
        raise EventRejected(f"{shown(value)} has no zone: add Z for UTC, or an offset such as +02:00")
    return time


def _check_shape(event: Checked) -> None:
    """As the worker will read it: the types of all other fields, and the size."""
    time = event.time or datetime.now(UTC)
    try:
        raw = encode_event(
            id=event.id or "1", source="/check", type=event.type, subject=event.row_id or "1", time=time, sequence=None, data=event.data
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise EventRejected(f"the event cannot be written as JSON: {error}") from None
    if len(raw) > MAX_EVENT_BYTES:
        raise EventRejected(f"an event may have {MAX_EVENT_BYTES:,} bytes, this one has {len(raw):,}")
    found = decode_event(raw)
    if isinstance(found, Malformed):
        raise EventRejected(found.reason)


def _meant(name: object, known: Collection[str]) -> str:
    close = get_close_matches(name, known, 1) if isinstance(name, str) else []
    return f"; did you mean {close[0]}?" if close else ""
