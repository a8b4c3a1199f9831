"""Whether an event from outside may go into the log: its shape, its type, its subject, and whose it is."""

from __future__ import annotations

from typing import Any

from contract import run_id as run_ids
from contract.errors import RunIdInvalid, StatusUnknown
from contract.events import INTERNAL_TYPES, MAX_EVENT_BYTES, Event, EventType, Malformed, decode_event
from contract.shown import shown
from contract.sources import is_reserved
from contract.status import map_status
from producers.gateway.access.caller import Caller
from producers.gateway.entry import Entry
from producers.gateway.events.modes import Sent, written
from producers.gateway.problem import Problem

TYPES = frozenset(kind.value for kind in EventType if kind not in INTERNAL_TYPES)
"""The types that may come from outside."""


class EventRefused(ValueError):
    """The event cannot be used as it is. Its neighbours can."""


def check(sent: Sent, caller: Caller) -> Entry:
    """The event as it goes into the log.

    A subject in a legacy format is brought into standard form, and `sequence` is left out: over HTTP the order of requests is
    not the order of events. Raises EventRefused, and Problem (403) for a client or source that is not the caller's, and
    for a source that is Runtally's."""
    attributes = sent.attributes
    if not isinstance(attributes, dict):
        raise EventRefused(f"an event is a JSON object, not {shown(attributes)}")
    if sent.fault:
        raise EventRefused(sent.fault)
    raw = written(attributes) if sent.raw is None else sent.raw
    if len(raw) > MAX_EVENT_BYTES:
        raise EventRefused(f"an event may have {MAX_EVENT_BYTES:,} bytes, this one has {len(raw):,}")
    event = decode_event(raw)
    if isinstance(event, Malformed):
        raise EventRefused(event.reason)
    subject = _subject(event)
    _check_status(event)
    if is_reserved(event.source):
        raise Problem(403, "source-reserved", f"source {shown(event.source)} is Runtally's own: send events under a source of yours")
    caller.require_source(event.source)
    caller.require_client(subject.client)
    if event.sequence is not None or event.subject != subject.standard:
        raw = written(_standardised(attributes, subject))
    assert subject.base is not None
    return Entry(subject.base, raw)


def _standardised(attributes: dict[str, Any], subject: run_ids.RunId) -> dict[str, Any]:
    changed = {name: value for name, value in attributes.items() if name != "sequence"}
    if isinstance(data := changed.get("data"), dict):
        # It says what the subject says, maybe in the format that the subject had.
        changed["data"] = {name: value for name, value in data.items() if name != "run_id"}
    return changed | {"subject": subject.standard}


def _subject(event: Event) -> run_ids.RunId:
    if event.type not in TYPES:
        raise EventRefused(f"type {shown(event.type)} is none of {', '.join(sorted(TYPES))}")
    try:
        subject = run_ids.require(event.subject)
    except RunIdInvalid as error:
        raise EventRefused(f"subject: {error}") from None
    needs_client = event.type.startswith("client.")
    if needs_client != (subject.client is not None):
        wanted = "needs a subject with a client (YYMMDD-HHMMSS-<client>)" if needs_client else "is about a job: its subject names no client"
        raise EventRefused(f"type {event.type} {wanted}, not {shown(event.subject)}")
    said = event.data
    if said.run_id is not None and said.run_id not in (subject.base, subject.standard, event.subject):
        raise EventRefused(f"data.run_id {shown(said.run_id)} contradicts the subject {shown(event.subject)}")
    if said.client_id is not None and said.client_id != subject.client:
        raise EventRefused(f"data.client_id {shown(said.client_id)} contradicts the subject {shown(event.subject)}")
    return subject


def _check_status(event: Event) -> None:
    if event.data.status is not None:
        try:
            map_status(event.data.status)
        except StatusUnknown as error:
            raise EventRefused(f"data.status: {error}") from None
