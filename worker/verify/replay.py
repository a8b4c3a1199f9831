"""The kept log of one partition folded anew, from nothing, for as many runs at a time as memory is meant for.

A run whose first event comes when there is no more room waits for the next group, which reads the log again from there. Rows of a
group are exact at any offset asked for, so they can be compared with a snapshot of Redis while events go on arriving.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

from msgspec import structs

from contract import keys
from contract.errors import EventRejected, StoreRefused
from contract.events import Event, EventType, Malformed, decode_batch
from contract.link import Link
from contract.registry import Registry
from contract.settings import Settings
from worker.fold import Changes, Entry, Known, Rules, fold_surely
from worker.rows import AnyRow
from worker.store.partition import PartitionStore

MOST_ROWS = 20_000
"""Rows held at a time: about 100 MB."""

_ENTRIES = 32
_RECOUNTED = EventType.ROWS_RECOUNTED.value

Position = tuple[int, int]


class PartitionLog:
    """The log of one partition, over a link that its caller opens. Raises StoreUnavailable and StoreRefused. Reads only."""

    def __init__(self, link: Link, settings: Settings, registry: Registry, partition: int) -> None:
        self._link = link
        self._partition = partition
        self._store = PartitionStore(link, partition, registry.decimals, id_ttl_s=1, dead_letters=1)
        # As the consumer has it: an identity is remembered in its own bucket and the two before.
        bucket_s = max(1, settings.id_memory_s // 2)
        self.rules = Rules(registry, partition, settings.partitions, id_bucket_ms=bucket_s * 1000)

    def folded(self) -> str:
        """The offset up to which the workers have folded."""
        return self._store.offset()

    def trimmed(self) -> bool:
        """Whether the log has lost its beginning. Source: XINFO STREAM, `entries-added` counts all that ever were."""
        try:
            reply = self._link.call("XINFO", "STREAM", keys.log(self._partition))
        except StoreRefused as error:
            if "no such key" in str(error):
                return self.folded() != "0-0"
            raise
        told = dict(zip(reply[::2], reply[1::2], strict=True))
        return int(told[b"entries-added"]) != int(told[b"length"])

    def entries(self, after: str, upto: str) -> Iterator[list[Entry]]:
        """The entries after one offset and up to another, some at a time."""
        last = position_of(upto)
        while True:
            raw = self._store.read(after, _ENTRIES)
            entries = [Entry(offset, int(offset.split("-")[0]), decode_batch(batch)) for offset, batch in raw]
            wanted = [entry for entry in entries if position_of(entry.offset) <= last]
            if wanted:
                yield wanted
                after = wanted[-1].offset
            if len(wanted) < _ENTRIES:
                return


class Group:
    """Some runs, folded from their first event in the log on, up to the offset `upto`."""

    def __init__(self, log: PartitionLog, after: str, done: Set[str], wanted: Set[str] | None, most_rows: int) -> None:
        """`done`: runs of earlier groups. `wanted`: the only runs to be folded, None for all."""
        self._log = log
        self._done = done
        self._wanted = wanted
        self._most_rows = most_rows
        self._known = Known()
        self._seen: dict[int, set[str]] = {}
        self._row_ids: dict[str, set[str]] = {}
        self._open = True
        self.upto = after
        self.runs: set[str] = set()
        self.next_after: str | None = None
        """Where the next group begins; None when there is none."""

    def rows_of(self, run: str) -> dict[str, AnyRow]:
        """Row ID -> row of one run."""
        return {row_id: self._known.rows[row_id] for row_id in self._row_ids.get(run, ())}

    def advance(self, upto: str, *, more_runs: bool = False) -> None:
        """Fold on, up to an offset. New runs are taken in only with `more_runs`, and while there is room."""
        self._open = self._open and more_runs
        for entries in self._log.entries(self.upto, upto):
            kept = [Entry(entry.offset, entry.received_ms, self._kept(entry)) for entry in entries]
            if some := [entry for entry in kept if entry.events]:
                self._remember(fold_surely(self._log.rules, self._known, some))
            self.upto = entries[-1].offset
        if position_of(upto) > position_of(self.upto):
            self.upto = upto

    def _kept(self, entry: Entry) -> list[Event | Malformed]:
        return [_without_rows(event) for event in entry.events if isinstance(event, Event) and self._mine(event, entry)]

    def _mine(self, event: Event, entry: Entry) -> bool:
        try:
            run = self._log.rules.target(event.subject).run
        except EventRejected:
            return False
        if run in self.runs:
            return True
        if run in self._done or (self._wanted is not None and run not in self._wanted):
            return False
        if self._open and len(self._known.rows) < self._most_rows:
            self.runs.add(run)
            return True
        self._open = False
        if self.next_after is None:
            self.next_after = _before(entry.offset)
        return False

    def _remember(self, changes: Changes) -> None:
        known = self._known
        known.rows.update(changes.rows)
        known.marks.update(changes.marks)
        for row_id, row in changes.rows.items():
            self._row_ids.setdefault(row.run, set()).add(row_id)
        for bucket, digests in changes.ids.items():
            self._seen.setdefault(bucket, set()).update(digests)
            known.seen.update(digests)
        newest = max(self._seen, default=0)
        if any(bucket < newest - 2 for bucket in self._seen):
            self._seen = {bucket: digests for bucket, digests in self._seen.items() if bucket >= newest - 2}
            known.seen = set().union(*self._seen.values())


def groups(log: PartitionLog, wanted: Set[str] | None = None, most_rows: int = MOST_ROWS) -> Iterator[Group]:
    """All runs in the log (or those wanted), group by group, folded as far as the workers were when this began."""
    done: set[str] = set()
    after: str | None = "0-0"
    upto = log.folded()
    while after is not None and position_of(after) < position_of(upto):
        group = Group(log, after, done, wanted, most_rows)
        group.advance(upto, more_runs=True)
        yield group
        done |= group.runs
        after = group.next_after


def position_of(offset: str) -> Position:
    """An offset as numbers, which compare."""
    ms, _, number = offset.partition("-")
    return int(ms), int(number)


def _before(offset: str) -> str:
    ms, number = position_of(offset)
    return f"{ms}-{number - 1}" if number else f"{ms - 1}-18446744073709551615"


def _without_rows(event: Event) -> Event:
    """The rows that a repair has brought come from the log: they are not taken twice."""
    if event.type != _RECOUNTED or not event.data.rows:
        return event
    return structs.replace(event, data=structs.replace(event.data, rows={}))
