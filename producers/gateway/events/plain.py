"""The short way for the usual request: events that can go into the log as they are, told without building a Python value of them.

It takes a body or leaves it, and never refuses one: what it leaves is read with care, and told what is wrong (modes, checking).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType, convert

from contract import run_id as run_ids
from contract.events import DECODE_ERRORS, Filled, Int64, Time
from contract.sources import is_reserved
from producers.gateway.access.caller import Caller
from producers.gateway.entry import Entry
from producers.gateway.events.checking import TYPES

_Numbers = dict[str, float]


class _Data(msgspec.Struct, gc=False):
    """An event's data. What is absent stays absent when it is written again."""

    metrics: _Numbers | UnsetType = UNSET
    totals: _Numbers | UnsetType = UNSET
    skips: _Numbers | UnsetType = UNSET
    success: bool | UnsetType | None = UNSET
    client_name: str | UnsetType | None = UNSET
    job_type: str | UnsetType | None = UNSET
    stream: Int64 | UnsetType | None = UNSET
    note: str | UnsetType | None = UNSET
    error: str | UnsetType | None = UNSET


class _Plain(msgspec.Struct, gc=False):
    """A usual event: whatever is one, is one of `contract.events`, too. Its time is a text, so that it is written again as it came."""

    id: Filled
    source: Filled
    type: str
    subject: Filled
    specversion: Literal["1.0"] | UnsetType = UNSET
    time: str | UnsetType = UNSET
    datacontenttype: str | UnsetType = UNSET
    data: _Data | UnsetType = UNSET


class _Times(msgspec.Struct, gc=False):
    """To look at times as `contract.events` does. A struct, because its type is understood once, and a list's with each call."""

    times: list[Time]


_decode_one = msgspec.json.Decoder(_Plain).decode
_decode_many = msgspec.json.Decoder(list[_Plain]).decode
_encode = msgspec.json.Encoder().encode


def plain_entry(body: bytes, caller: Caller, *, batch: bool, most_events: int, most_bytes: int) -> Entry | None:
    """What goes into the log for a body whose events are all about one run, well formed, the caller's to send, and unambiguous;
    None for any other body."""
    if len(body) > most_bytes:
        return None
    try:
        events = _decode_many(body) if batch else [_decode_one(body)]
        if not 0 < len(events) <= most_events or not _is_unambiguous(body, events):
            return None
        convert({"times": [event.time for event in events if event.time is not UNSET]}, _Times)
    except DECODE_ERRORS:
        return None
    run = _one_run(events, caller)
    if run is None:
        return None
    return Entry(run, body.strip()[1:-1] if batch else body, len(events))


def _is_unambiguous(body: bytes, events: list[_Plain]) -> bool:
    """Whether no name stands twice in an object, and every name is one that `_Plain` knows.

    Written again, a doubled name or an unknown one is gone, and its colon with it. Colons in texts stay, unless one was written
    as \\u003a: it would make up for one that is gone."""
    # Twice, because a single byte is found a hundred times faster.
    if b"\\" in body and b"\\u003" in body:
        return False
    return body.count(b":") == _encode(events).count(b":")


def _one_run(events: list[_Plain], caller: Caller) -> str | None:
    """The run that all events are about, if there is one and the caller may send them all."""
    run = None
    sources: set[str] = set()
    clients: set[str | None] = set()
    for event in events:
        placed = _placed(event.type, event.subject)
        if placed is None or (run is not None and run != placed[0]):
            return None
        run = placed[0]
        sources.add(event.source)
        clients.add(placed[1])
    if any(map(is_reserved, sources)):
        return None
    return run if all(map(caller.may_speak_for, sources)) and all(map(caller.may_touch, clients)) else None


@lru_cache(maxsize=16_384)
def _placed(kind: str, subject: str) -> tuple[str, str | None] | None:
    """The run and the client; None unless the subject is in standard form and of the type's kind."""
    parsed = run_ids.parse(subject)
    if parsed.base is None or parsed.standard != subject or kind not in TYPES:
        return None
    if kind.startswith("client.") != (parsed.client is not None):
        return None
    return parsed.base, parsed.client
