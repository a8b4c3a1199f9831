"""The events that one run event of OpenLineage stands for. Their IDs follow from it, so that a repeat counts once.

At most one of them tells totals. Those go by event time (`producers.gateway.entry`), since the fold applies them in log order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import quote

from contract.events import EventType, encode_event
from contract.run_id import with_client
from contract.sources import OPENLINEAGE
from producers.gateway.entry import Entry, Totals
from producers.gateway.lineage.client_ids import own_client
from producers.gateway.lineage.memory import End
from producers.gateway.lineage.place import Place
from producers.gateway.lineage.run_event import RunEvent, Transition

_MOST_NAMED = 200
_MOST_TOLD = 10_000
_MOST_SOURCE = 900
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OUTCOMES: dict[Transition, dict[str, Any]] = {
    Transition.COMPLETE: {"success": True},
    Transition.FAIL: {"success": False},
    Transition.ABORT: {"status": "Aborted"},
}


class _Known(NamedTuple):
    """By what an event is known, and when it happened."""

    id: str
    at: datetime


def source_of(event: RunEvent) -> str:
    """The source of its events: `/openlineage/<namespace>`, which a token may be limited to."""
    namespace = quote(event.job.namespace, safe="")
    return f"{OPENLINEAGE}/{namespace if len(namespace) <= _MOST_SOURCE else sha256(namespace.encode()).hexdigest()}"


def tell_client(event: RunEvent, place: Place, totals: dict[str, Any], *, announce: bool) -> list[Entry]:
    """A client run's part of its root's job. `announce`: with its start, tell the job's, should nobody else do so."""
    data: dict[str, Any] = {"totals": totals}
    if event.transition is Transition.START:
        data["client_name"] = event.job.name[:_MOST_NAMED]
        kind = EventType.CLIENT_STARTED
    elif event.transition.ends:
        data |= _OUTCOMES[event.transition] | _error(event)
        kind = EventType.CLIENT_COMPLETED
    else:
        kind = EventType.METRICS_UPDATED if totals else EventType.CLIENT_HEARTBEAT
    entries = [_entry(event, place.run, place.client, kind, data)]
    if announce and event.transition is Transition.START and event.top is not None:
        started = {"job_type": event.top.job.name[:_MOST_NAMED]}
        entries.append(_entry(event, place.run, None, EventType.JOB_STARTED, started, _Known(f"{place.run} announced", event.at)))
    return entries


def tell_job(event: RunEvent, place: Place, totals: dict[str, Any], ends: Sequence[End]) -> list[Entry]:
    """A job, and what it counted itself, under its namespace as client; `ends`: those of that client run, as far as known."""
    data: dict[str, Any] = {"job_type": event.job.name[:_MOST_NAMED]} if event.transition is not Transition.OTHER else {}
    if event.transition is Transition.START:
        kind = EventType.JOB_STARTED
    elif event.transition.ends:
        data |= _OUTCOMES[event.transition] | _error(event)
        kind = EventType.JOB_COMPLETED
    else:
        kind, data = EventType.JOB_HEARTBEAT, {}
    entries = [_entry(event, place.run, None, kind, data)]
    client = own_client(event.job.namespace)
    if totals:
        known = _Known(_identity(event.run, event.transition, event.at, "own"), event.at)
        entries.append(_entry(event, place.run, client, EventType.METRICS_UPDATED, {"totals": totals}, known))
    for end in ends:
        told = _OUTCOMES[end.transition] | (_error(event) if (event.transition, event.at) == end else {})
        known = _Known(_identity(event.run, end.transition, end.at, "own end"), end.at)
        entries.append(_entry(event, place.run, client, EventType.CLIENT_COMPLETED, told, known))
    return entries


def _error(event: RunEvent) -> dict[str, Any]:
    return {} if event.error is None else {"error": event.error[:_MOST_TOLD]}


def _identity(run: str, transition: Transition, at: datetime, part: str) -> str:
    return sha256(f"{run} {transition} {at.isoformat()} {part}".encode()).hexdigest()[:40]


def _entry(event: RunEvent, run: str, client: str | None, kind: EventType, data: dict[str, Any], known: _Known | None = None) -> Entry:
    id, at = known or _Known(_identity(event.run, event.transition, event.at, ""), event.at)
    subject = run if client is None else with_client(run, client)
    filled = {name: value for name, value in data.items() if value != {}}
    body = encode_event(id=id, source=source_of(event), type=kind, subject=subject, time=at, sequence=None, data=filled)
    metrics = tuple(filled.get("totals", ()))
    return Entry(run, body, totals=Totals(subject, metrics, (at - _EPOCH) // timedelta(microseconds=1)) if metrics else None)
