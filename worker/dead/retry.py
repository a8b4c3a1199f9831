"""Sending dead letters again: first append, then delete, and an identity that makes any repeat of that count once."""

from __future__ import annotations

from contract import keys
from contract.errors import LetterInvalid
from contract.events import decode_batch, encode_event
from contract.link import Link
from contract.registry import Registry
from contract.run_id import parse
from contract.sources import DEAD_LETTERS
from worker.appending import append
from worker.dead.again import Again, again
from worker.dead.letter import AIR, DeadLetter
from worker.dead.letters import DeadLetters
from worker.fold import Entry, Known, Rules, fold_surely
from worker.store import dirty, retired

_ENCODE_ERRORS = (TypeError, ValueError, RecursionError)


class Retry:
    """Over a link that its caller opens. Raises StoreUnavailable and StoreRefused: then the letter is still there, or sent and gone."""

    def __init__(self, link: Link, partitions: int, registry: Registry, letters: DeadLetters) -> None:
        self._link = link
        self._partitions = partitions
        self._registry = registry
        self._letters = letters

    def send(self, letter: DeadLetter, edit: str | None = None, subject: str | None = None) -> None:
        """Send a letter again, then delete it. What cannot be used comes back as a new letter.

        Dying in between leaves the letter: sent once more, edited or not, it is the same event, which is folded once (for
        `id_memory_s`). What Airtable refused is written again from its row. Raises LetterInvalid when it cannot be sent: it stays.
        """
        if letter.id.place == AIR:
            self._write_again(letter, edit, subject)
        else:
            event = again(letter, edit, subject)
            self._trial(event)
            append(self._link, self._partitions, source=DEAD_LETTERS, **event._asdict())
        self._letters.drop(letter.id)

    def fault(self, letter: DeadLetter, edit: str | None = None, subject: str | None = None) -> str | None:
        """What would become of it: None when the fold would use it, else why it would be set aside again, or cannot be sent."""
        try:
            if letter.id.place == AIR:
                self._row(letter, edit, subject)
                return None
            return self._trial(again(letter, edit, subject))
        except LetterInvalid as error:
            return str(error)

    def _trial(self, event: Again) -> str | None:
        """Fold the event by itself: why it would be set aside, or None. Raises LetterInvalid for what cannot be written as JSON."""
        subject = event.run_id if event.client_id is None else f"{event.run_id}-{event.client_id}"
        try:
            wire = encode_event(
                id=event.id, source=DEAD_LETTERS, type=event.type, subject=subject, time=event.time, sequence=None, data=dict(event.data)
            )
        except _ENCODE_ERRORS as error:
            raise LetterInvalid(f"it cannot be written as an event: {error}") from error
        partition = keys.partition_of(event.run_id, self._partitions)
        entry = Entry("1-0", int(event.time.timestamp() * 1000), decode_batch(wire))
        known = Known(retired=retired.told([event.run_id], self._link.call(*retired.asked(partition, [event.run_id]))))
        changes = fold_surely(Rules(self._registry, partition, self._partitions), known, [entry])
        return changes.letters[0].reason if changes.letters else None

    def _write_again(self, letter: DeadLetter, edit: str | None, subject: str | None) -> None:
        dirty.mark(self._link, [self._row(letter, edit, subject)])

    def _row(self, letter: DeadLetter, edit: str | None, subject: str | None) -> dirty.RowRef:
        """The row that a refused field or row belongs to."""
        if edit is not None or subject is not None:
            raise LetterInvalid(
                "what Airtable refused is written again from its row: change what the row says by an event, or the field in Airtable"
            )
        row_id, run = letter.subject, parse(letter.subject).base
        if run is None:
            raise LetterInvalid(f"it names no row: {row_id[:100]!r}")
        ref = dirty.RowRef(keys.partition_of(run, self._partitions), row_id)
        if not self._link.call("EXISTS", keys.row(*ref)):
            raise LetterInvalid(f"the row {row_id} is gone: it was kept for as long as RUNTALLY_RETENTION_S says")
        return ref
