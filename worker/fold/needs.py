"""What has to be read from Redis before entries can be folded."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from contract.errors import EventRejected
from contract.events import Event, EventType, Malformed
from contract.sources import DEAD_LETTERS
from worker.fold.changes import Entry
from worker.fold.rules import Rules

_RECOUNTED = EventType.ROWS_RECOUNTED.value


_MOST_DIGITS = 18


@dataclass(slots=True)
class Needs:
    """Row IDs (client runs and their jobs), runs, publishers, and digests of identities by the bucket they would be added to.

    `whole_runs`: runs of which all rows are needed, as they stand in Redis: nothing that was cached may stand for them."""

    row_ids: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    whole_runs: set[str] = field(default_factory=set)
    publishers: set[str] = field(default_factory=set)
    ids: dict[int, set[str]] = field(default_factory=dict)


def is_sequence(text: str) -> bool:
    """Whether it is the number of an event, so that a watermark knows its repeats. Sequences have 18 digits at most."""
    return len(text) <= _MOST_DIGITS and text.isdecimal()


def digest_of(event: Event | Malformed) -> str:
    """16 characters (96 bits) that stand for (source, id, subject); for what has no identity, for its text.

    With the subject, no sender's choice of IDs can hide another client's event. A dead letter sent again is known without it: an edit
    may have changed it, and of all tries one counts."""
    source, id = event.source, event.id
    if isinstance(event, Malformed) and not (source and id):
        identity = event.raw
    else:
        subject = "" if source == DEAD_LETTERS else event.subject or ""
        # The subject first: what the gateway lets through as one has no NUL in it, so no source or ID can make up for it.
        identity = f"{subject}\0{source}\0{id}".encode()
    return b64encode(blake2b(identity, digest_size=12).digest()).decode()


def needs_of(rules: Rules, entries: Iterable[Entry]) -> Needs:
    """What `fold` will ask of Known for these entries."""
    needs = Needs()
    for entry in entries:
        add_needs(rules, needs, entry)
    return needs


def add_needs(rules: Rules, needs: Needs, entry: Entry) -> None:
    """Add what `fold` will ask of Known for one more entry."""
    subjects: set[str] = set()
    publishers = needs.publishers
    for event in entry.events:
        if isinstance(event, Event):
            subjects.add(event.subject)
            if event.type == _RECOUNTED:
                _need_run(rules, needs, event)
        sequence, source = event.sequence, event.source
        if sequence is not None and source and is_sequence(sequence):
            publishers.add(source)
        else:
            needs.ids.setdefault(entry.received_ms // rules.id_bucket_ms, set()).add(digest_of(event))
    for subject in subjects - needs.row_ids:
        try:
            target = rules.target(subject)
        except EventRejected:
            continue  # the fold sets it aside with this reason
        needs.row_ids.add(target.row_id)
        needs.row_ids.add(target.run)
        needs.runs.add(target.run)


def _need_run(rules: Rules, needs: Needs, event: Event) -> None:
    try:
        target = rules.target(event.subject)
    except EventRejected:
        return
    needs.whole_runs.add(target.run)
    needs.row_ids.update(f"{target.run}-{client}" for client in event.data.clients)
    needs.row_ids.update(row_id for row_id in event.data.rows if row_id.startswith(f"{target.run}-"))
