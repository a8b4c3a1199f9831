"""Events, entries and folds for tests, in few words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from contract.events import Event, Malformed, decode_batch, encode_event, join_batch
from contract.keys import partition_of
from contract.registry import load_registry
from worker.fold import Changes, Entry, Known, Rules, fold
from worker.rows import AnyRow, from_hash, to_hash

RUN = "250930-141522"
NOON = datetime(2025, 9, 30, 12, tzinfo=UTC)
REGISTRY = load_registry()
PARTITIONS = 8
RULES = Rules(REGISTRY, partition_of(RUN, PARTITIONS), PARTITIONS)


def wire(  # the attributes of an event
    kind: str,
    client: str | None = "a",
    *,
    sequence: int | None = None,
    id: str | None = None,
    source: str = "/test/p1",
    at: float = 0,
    run: str = RUN,
    **data: Any,
) -> bytes:
    """An event as it stands in a batch. `at`: seconds after noon. Numbered if `sequence` is given, else known by its `id`."""
    return encode_event(
        id=id or f"n{sequence}",
        source=source,
        type=kind,
        subject=run if client is None else f"{run}-{client}",
        time=NOON + timedelta(seconds=at),
        sequence=sequence,
        data=data,
    )


def entry(number: int, *events: bytes) -> Entry:
    """The log entry with this number, received that many seconds after noon."""
    ms = int(NOON.timestamp() * 1000) + number * 1000
    return Entry(f"{ms}-0", ms, decode_batch(join_batch(events)))


def decoded(events: Iterable[bytes]) -> Sequence[Event | Malformed]:
    return decode_batch(join_batch(events))


class Ledger:
    """What Redis would hold: rows, watermarks and identities, changed by commits of folds. Rows pass through their hash form."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.known = Known()
        self.commits: list[Changes] = []

    def fold(self, *entries: Entry, commit: bool = True) -> Changes:
        """Fold entries; without `commit` the worker dies before it."""
        changes = fold(self.rules, self.known, entries)
        if commit:
            self.known.rows.update({row_id: stored(row, self.known.rows.get(row_id), changes) for row_id, row in changes.rows.items()})
            self.known.marks.update(changes.marks)
            self.known.seen.update(digest for digests in changes.ids.values() for digest in digests)
            self.commits.append(changes)
        return changes

    def send(self, *events: bytes) -> Changes:
        """Fold the events as one entry and commit."""
        return self.fold(entry(len(self.commits) + 1, *events))

    def __getitem__(self, client: str | None) -> Any:
        """The row of a client, or of the job for None."""
        return self.known.rows[RUN if client is None else f"{RUN}-{client}"]

    @property
    def letters(self) -> list[str]:
        """The dead letters, as `kind: reason`."""
        return [f"{letter.kind}: {letter.reason}" for changes in self.commits for letter in changes.letters]


def stored(row: AnyRow, before: AnyRow | None, changes: Changes) -> AnyRow:
    """The row as a reader of Redis would get it: only the texts that the commit writes are written."""
    fields = {} if before is None else to_hash(before)
    fields |= to_hash(row, changes.texts.get(row.row_id, ())) if before is not None else to_hash(row)
    return from_hash({name.encode(): value for name, value in fields.items()}, REGISTRY.decimals)
