"""The short way for the usual request: events that can go into the log as they are, told without building a Python value of them.

It takes a body or leaves it, and never refuses one: what it leaves is read with care, and told what is wrong (modes, checking).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from contract import run_id as run_ids
from contract.events import DECODE_ERRORS, Event
from producers.gateway.access.caller import Caller
from producers.gateway.events.checking import TYPES
from producers.gateway.intake import Entry

_Numbers = dict[str, float]


class _Data(msgspec.Struct, gc=False):
    """The names in an event's data. What is absent stays absent when it is written again."""

    metrics: _Numbers | UnsetType = UNSET
    totals: _Numbers | UnsetType = UNSET
    skips: _Numbers | UnsetType = UNSET
    success: bool | UnsetType | None = UNSET
    client_name: str | UnsetType | None = UNSET
    job_type: str | UnsetType | None = UNSET
    stream: int | UnsetType | None = UNSET
    note: str | UnsetType | None = UNSET
    error: str | UnsetType | None = UNSET


class _Names(msgspec.Struct, gc=False):
    """The names in an event."""

    id: str
    source: str
    type: str
    subject: str
    specversion: str | UnsetType = UNSET
    time: str | UnsetType = UNSET
    datacontenttype: str | UnsetType = UNSET
    data: _Data | UnsetType = UNSET


_decode_one = msgspec.json.Decoder(Event).decode
_decode_many = msgspec.json.Decoder(list[Event]).decode
_names_of_one = msgspec.json.Decoder(_Names).decode
_names_of_many = msgspec.json.Decoder(list[_Names]).decode
_encode = msgspec.json.Encoder().encode


def plain_entry(body: bytes, caller: Caller, *, batch: bool, most_events: int, most_bytes: int) -> Entry | None:
    """What goes into the log for a body whose events are all about one run, well formed, the caller's to send, and unambiguous;
    None for any other body."""
    if len(body) > most_bytes:
        return None
    try:
        events = _decode_many(body) if batch else [_decode_one(body)]
        if not 0 < len(events) <= most_events or not _is_unambiguous(body, batch=batch):
            return None
    except DECODE_ERRORS:
        return None
    run = _one_run(events, caller)
    if run is None:
        return None
    return Entry(run, body.strip()[1:-1] if batch else body, len(events))


def _is_unambiguous(body: bytes, *, batch: bool) -> bool:
    """Whether no name stands twice in an object, and every name is one that `_Names` knows.

    Written again, a doubled name or an unknown one is gone, and its colon with it. Colons in texts stay, unless one was written
    as \\u003a: it would make up for one that is gone."""
    if b"\\u003" in body:
        return False
    names: Any = _names_of_many(body) if batch else _names_of_one(body)
    return body.count(b":") == _encode(names).count(b":")


def _one_run(events: list[Event], caller: Caller) -> str | None:
    run = None
    sources: set[str] = set()
    clients: set[str | None] = set()
    for event in events:
        data = event.data
        placed = _placed(event.type, event.subject)
        if placed is None or event.sequence is not None or data.status is not None:
            return None
        if data.run_id is not None or data.client_id is not None:
            return None
        if run != placed[0]:
            if run is not None:
                return None
            run = placed[0]
        sources.add(event.source)
        clients.add(placed[1])
    if all(map(caller.may_speak_for, sources)) and all(map(caller.may_touch, clients)):
        return run
    return None


@lru_cache(maxsize=16_384)
def _placed(kind: str, subject: str) -> tuple[str, str | None] | None:
    """The run and the client; None unless the subject is in standard form and of the type's kind."""
    parsed = run_ids.parse(subject)
    if parsed.base is None or parsed.standard != subject or kind not in TYPES:
        return None
    if kind.startswith("client.") != (parsed.client is not None):
        return None
    return parsed.base, parsed.client
