"""What an Apify event tells the log. Its identity is Apify's run and the type of the event, so that any number of deliveries count once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from contract.events import EventType, encode_event
from contract.sources import WEBHOOKS
from producers.gateway.entry import Entry
from producers.gateway.webhooks.apify.payload import ApifyEvent, Kind
from producers.gateway.webhooks.apify.place import Place
from producers.gateway.webhooks.apify.usage import Added

SOURCE = f"{WEBHOOKS}/apify"
JOB_TYPE = "apify"
_MAX_MESSAGE_CHARS = 500
_STATUSES = {Kind.SUCCEEDED: "Succeeded", Kind.FAILED: "Failed", Kind.ABORTED: "Aborted", Kind.TIMED_OUT: "Timed out"}
"""Words of spec §2. CREATED and RESURRECTED tell none: a run is Running until it is told otherwise."""

_TYPES = {Kind.CREATED: EventType.CLIENT_STARTED, Kind.RESURRECTED: EventType.METRICS_UPDATED}


def type_of(kind: Kind) -> EventType:
    """The type of event that an event of Apify becomes."""
    return _TYPES.get(kind, EventType.CLIENT_COMPLETED)


def entries_of(event: ApifyEvent, place: Place, added: Added) -> list[Entry]:
    """The entries. In a run of its own the job is told too, by events that are the same for all events of the Apify run."""
    at = event.at or datetime.now(UTC)
    entries = [_entry(event.identity, type_of(event.kind), place, at, _data(event, added), client=True)]
    if not place.own:
        return entries
    start = event.started or at
    before = [
        _entry(f"{event.run}:job.started", EventType.JOB_STARTED, place, start, {"job_type": JOB_TYPE}, client=False),
        _entry(f"{event.run}:client.started", EventType.CLIENT_STARTED, place, start, {}, client=True),
    ]
    # The job's own part succeeds in any case: its status follows from its client's.
    after = [_entry(f"{event.run}:job.completed", EventType.JOB_COMPLETED, place, at, {"success": True}, client=False)]
    return [*before, *entries, *(after if event.kind.ends else [])]


def _data(event: ApifyEvent, added: Added) -> dict[str, Any]:
    metrics: dict[str, Any] = {"Apify Run ID": event.run, "Apify Status": event.status}
    if added.posts is not None:
        metrics["Total Posts Harvested"] = added.posts
    if added.cost is not None:
        metrics["Apify API Costs"] = format(added.cost, "f")
    if event.started is not None:
        metrics["Start Time"] = event.started.isoformat()
    if event.finished is not None:
        metrics["End Time"] = event.finished.isoformat()
    data: dict[str, Any] = {"metrics": metrics}
    if event.kind.ends:
        data["status"] = _STATUSES[event.kind]
        if event.kind is not Kind.SUCCEEDED:
            message = "" if event.message is None else f": {event.message[:_MAX_MESSAGE_CHARS]}"
            data["error"] = f"Apify run {event.run}: {event.status}{message}"
    return data


def _entry(event_id: str, kind: EventType, place: Place, at: datetime, data: dict[str, Any], *, client: bool) -> Entry:
    subject = place.row_id if client else place.run
    body = encode_event(id=event_id, source=SOURCE, type=kind, subject=subject, time=at, sequence=None, data=data)
    return Entry(place.run, body)
