"""What a dead letter is sent as, when it is sent again: an event. Plain functions over plain values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from contract.errors import LetterInvalid
from contract.events import Event, EventType, Flawed, decode_batch
from contract.run_id import parse
from worker.dead.letter import DeadLetter

_WEBHOOK = (
    "a webhook is sent to the gateway, which is no event's way: take what `runtally dead show {id} --json` has as `content`, mend it, "
    "POST it to {route}{query} and drop the letter"
)
_PARTS = ("metrics", "totals", "skips")
_DATA = "data"
"""The part that fields of an event's data were set aside from, whole."""


class Again(NamedTuple):
    """The event that a letter becomes. `id` follows from the letter alone, whatever it was edited to: with its source it is the identity by
    which any number of tries, of whatever edits, counts once."""

    type: str
    run_id: str
    client_id: str | None
    data: dict[str, Any]
    id: str
    time: datetime


def again(letter: DeadLetter, edit: str | None = None, subject: str | None = None) -> Again:
    """The event for a letter of kind event, value or status. `edit`: what to send instead of what was set aside, JSON of the same form.
    `subject`: another run ID, with or without a client, in any known format.

    An event stays what it was, a value is one observation (or total, or skip, as it was), a status or a success a completion, any other
    field an update. The time is the time of the event that it stood in. Raises LetterInvalid when no such event can be made.
    """
    content = letter.text if edit is None else edit
    if letter.kind == "webhook":
        raise LetterInvalid(_WEBHOOK.format(id=letter.id, route=letter.origin.get("route", "its route"), query=_query(letter)))
    if letter.kind == "event":
        event = _event(content)
        named, kind, data, time = event.subject, event.type, msgspec.to_builtins(event.data), event.time
    else:
        named, kind, data, time = letter.subject, EventType.METRICS_UPDATED.value, _data(letter, content), None
    if subject is not None:
        named = subject
        data = {name: value for name, value in data.items() if name not in ("run_id", "client_id")}
    run, client = _target(named)
    if letter.kind == "status" or (_is_field(letter) and "success" in data):
        kind = EventType.CLIENT_COMPLETED.value if client is not None else EventType.JOB_COMPLETED.value
    elif _is_field(letter) and client is None and data.keys().isdisjoint(_PARTS):
        kind = EventType.ROWS_REQUESTED.value
    elif letter.kind == "value" and client is None:
        raise LetterInvalid(f"{run} names no client, and a job's metrics are the totals of its clients: give --subject {run}-CLIENT")
    return Again(kind, run, client, data, _identity(letter), time or _told_time(letter))


def _query(letter: DeadLetter) -> str:
    return "" if letter.client is None else f"?client={quote(letter.client, safe='')}"


def _event(content: str) -> Event:
    events = decode_batch(content.encode(errors="surrogateescape"))
    if len(events) != 1:
        raise LetterInvalid(f"a letter is one event, and these are {len(events)}")
    event = events[0]
    if not isinstance(event, Event):
        raise LetterInvalid(f"{event.reason}: mend it with --edit")
    if isinstance(event, Flawed):
        raise LetterInvalid(f"{event.flaws[0].reason}: mend it with --edit")
    return event


def _data(letter: DeadLetter, content: str) -> dict[str, Any]:
    """What an event says that tells just this value, or this status."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise LetterInvalid(f"not JSON: {error}") from error
    if letter.kind == "status":
        # Without a status, a completion would say that all went well.
        if not isinstance(told, dict) or "status" not in told:
            raise LetterInvalid('it must be a JSON object such as {"status": "Completed"}')
        return told
    if letter.kind == "row":
        raise LetterInvalid(
            "a row cannot be sent as an event: `runtally verify --repair` makes it anew from the log, while that has all of it"
        )
    part = letter.origin.get("part", "metrics")
    if letter.kind != "value" or part not in (*_PARTS, _DATA):
        raise LetterInvalid(f"a {letter.kind} of {part!r:.50} cannot be sent as an event")
    if not isinstance(told, dict) or not told:
        raise LetterInvalid('it must be a JSON object such as {"leads_processed": 1}')
    return told if part == _DATA else {part: told}


def _is_field(letter: DeadLetter) -> bool:
    return letter.kind == "value" and letter.origin.get("part") == _DATA


def _target(subject: str) -> tuple[str, str | None]:
    """Run and client. A subject in a legacy format is converted, which is what many letters lie here for."""
    parsed = parse(subject)
    if parsed.base is None:
        raise LetterInvalid(f"{subject[:100]!r} is no run ID: give another with --subject")
    return parsed.base, parsed.client


def _told_time(letter: DeadLetter) -> datetime:
    """When the event happened: as the fold told, else when the letter was made, which is later."""
    try:
        told = datetime.fromisoformat(letter.origin["time"])
    except (KeyError, TypeError, ValueError):
        return letter.at
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)


def _identity(letter: DeadLetter) -> str:
    """Place and entry, and a digest of the letter: a Redis that lost its tail may give the same entry ID to another letter."""
    whole = json.dumps([letter.kind, letter.reason, letter.origin, letter.text], sort_keys=True)
    return f"{letter.id}-{blake2b(whole.encode(errors='surrogateescape'), digest_size=8).hexdigest()}"
