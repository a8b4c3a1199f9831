"""The fold for when a fold fails: a bug that one event meets costs that event, not its partition."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path

import structlog

from contract.about import about
from contract.events import Event, Malformed
from worker.fold.changes import Changes, Entry, Known
from worker.fold.fold import fold
from worker.fold.rules import Rules
from worker.fold.working import as_letter
from worker.rows import TEXTS, to_hash

_MOST_OF_ERROR = 200
"""Most characters of an exception's text in a reason."""

_log = structlog.get_logger("runtally.fold", operation="fold")


def fold_surely(rules: Rules, known: Known, entries: Sequence[Entry]) -> Changes:
    """`fold`; where that raises, `fold_one_by_one`: what the consumer does, for whoever repeats its fold."""
    try:
        return fold(rules, known, entries)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  # as in the consumer
        return fold_one_by_one(rules, known, entries)


def fold_one_by_one(rules: Rules, known: Known, entries: Sequence[Entry]) -> Changes:
    """The rows of `fold`, made of one fold an event. An event whose fold raises, or whose rows cannot be written, changes no row: it
    is a dead letter with the exception as its reason, counted as `fold_errors`; its traceback is logged, once for each reason.

    Pure like `fold`, but for the log lines; some five times as slow. Raises MemoryError, which says nothing about an event.
    """
    so_far = Known(dict(known.rows), dict(known.marks), set(known.seen), known.unreadable, known.retired)
    whole = Changes(offset=entries[-1].offset, received_ms=entries[-1].received_ms)
    told: set[str] = set()
    for entry in entries:
        for event in entry.events:
            alone = Entry(entry.offset, entry.received_ms, [event])
            changes = _fold_alone(rules, so_far, alone, event, told)
            so_far.rows.update(changes.rows)
            so_far.marks.update(changes.marks)
            so_far.seen.update(digest for digests in changes.ids.values() for digest in digests)
            _add(whole, changes)
    for row_id in whole.rows.keys() - known.rows.keys():
        # Its version counts events by now: a new row is written with all its texts all the same.
        whole.texts[row_id] = set(TEXTS)
    return whole


def _fold_alone(rules: Rules, known: Known, entry: Entry, event: Event | Malformed, told: set[str]) -> Changes:
    try:
        changes = fold(rules, known, [entry])
        for row in changes.rows.values():
            to_hash(row)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever the bug is, it must cost no more than its event
        reason = _reason(error)
        if reason not in told:
            told.add(reason)
            told_of = {"event_type": event.type if isinstance(event, Event) else None, **about(event.subject)}
            _log.exception("folding an event failed", reason=reason, source=event.source, id=event.id, offset=entry.offset, **told_of)
        # In its place stands what is set aside under its identity, so that a repeat of it is known.
        stand_in: list[Event | Malformed] = [Malformed(reason, as_letter(event), event.source, event.id, event.sequence, event.subject)]
        changes = fold(rules, known, [Entry(entry.offset, entry.received_ms, stand_in)])
        changes.counts["fold_errors"] += 1
    return changes


def _reason(error: Exception) -> str:
    """The exception and where it was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__}: {error}"[:_MOST_OF_ERROR]
    return f"a bug, met in folding it: {text} ({Path(place.filename).name}:{place.lineno})"


def _add(whole: Changes, changes: Changes) -> None:
    whole.rows.update(changes.rows)
    for row_id, names in changes.texts.items():
        whole.texts.setdefault(row_id, set()).update(names)
    whole.touched.update(changes.touched)
    whole.aside.update(changes.aside)
    whole.made.update(changes.made)
    whole.marks.update(changes.marks)
    for bucket, digests in changes.ids.items():
        whole.ids.setdefault(bucket, {}).update(digests)
    for run, clients in changes.clients.items():
        whole.clients.setdefault(run, []).extend(clients)
    whole.runs.update(changes.runs)
    whole.letters.extend(changes.letters)
    whole.warnings.extend(changes.warnings)
    whole.counts.update(changes.counts)
