"""Consume one partition: read, decode, fold, commit, until the log is drained.

Correct whoever else does the same: a commit is refused once another has moved the offset, and then everything in hand is
dropped. What one connection has read is not trusted on the next (docs/design.md, the connection rule).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from contract import keys
from contract.about import about
from contract.errors import RuntallyError
from contract.events import decode_batch
from contract.layout import claim_layout
from contract.link import Link
from contract.registry import Registry
from contract.settings import Settings
from worker.fold import Changes, Entry, Known, Letter, Needs, Rules, add_needs, fold, fold_one_by_one
from worker.store.lease import Lease
from worker.store.partition import Committed, PartitionStore, RawEntry

LEASE_S = 10.0
"""How long a dead worker keeps others off its partition."""

READ_ENTRIES = 32
"""Entries read at once. With the publishers' bound of 256 KiB an entry, 8 MiB."""

COMMIT_EVENTS = 16_000
COMMIT_ROWS = 1_500
"""A commit takes whole entries until it holds so many events or touches so many rows: it blocks the server for about
10 microseconds a row."""

CACHED_ROWS = 10_000

_REFUSALS = {Committed.MOVED: "another worker has the partition", Committed.GONE: "a row that was read is gone"}

_log = structlog.get_logger("runtally.consume", operation="fold")


@dataclass(slots=True)
class Consumed:
    """What one turn did. `busy`: another worker has the partition. `drained`: nothing was left when it ended."""

    events: int = 0
    entries: int = 0
    commits: int = 0
    busy: bool = False
    drained: bool = False


class Consumer:
    """Folds one partition. One thread at a time; keeps rows it has committed as a cache from turn to turn."""

    def __init__(self, settings: Settings, registry: Registry, partition: int) -> None:
        # Half the memory is one bucket: an identity is looked for in its own and the two before.
        bucket_s = max(1, settings.id_memory_s // 2)
        self._rules = Rules(registry, partition, settings.partitions, id_bucket_ms=bucket_s * 1000)
        self._link = Link(settings.redis_url.get_secret_value(), name=f"runtally-consume-{partition}")
        self._partitions = settings.partitions
        self._store = PartitionStore(
            self._link, partition, registry.decimals, id_ttl_s=settings.id_memory_s + 2 * bucket_s, dead_letters=settings.dead_letters
        )
        self._lease = Lease(self._link, keys.consume_lease(partition), ttl_s=LEASE_S)
        self._epoch = 0
        self._offset: str | None = None
        self._cache = Known()
        self._hand: deque[RawEntry] = deque()

    def turn(self, stop: Callable[[], bool] = lambda: False, budget_s: float = 5.0) -> Consumed:
        """Fold until the log is drained, `stop()` says so, or the budget is spent.

        Raises StoreUnavailable or StoreRefused when Redis does; then nothing is lost: the next turn begins at the offset.
        """
        done = Consumed()
        try:
            self._turn(done, stop, time.monotonic() + budget_s)
        except BaseException:
            # What was taken in hand and not committed must be read again.
            self._drop()
            raise
        return done

    def _turn(self, done: Consumed, stop: Callable[[], bool], deadline: float) -> None:
        self._open()
        # A doorbell that rang while this turn held the lease was dropped: so look again after letting go.
        while not done.drained and not stop() and time.monotonic() < deadline:
            # Renewed where it is still this consumer's own: a turn that lost its connection could not give it back.
            if not (self._lease.take() or self._lease.renew()):
                done.busy = True
                return
            try:
                self._believe(self._store.offset())
                while self._step(done) and not stop() and time.monotonic() < deadline:
                    self._keep_lease()
            finally:
                self._lease.release()
            done.drained = not self._hand and not self._store.read(self._offset or "0-0", 1)

    def close(self) -> None:
        """Close the connection. The next turn opens another."""
        self._link.close()

    def _open(self) -> None:
        epoch = self._link.open()
        if epoch != self._epoch:
            self._drop()
            claim_layout(self._link, self._partitions)
            self._epoch = epoch

    def _drop(self) -> None:
        self._cache = Known()
        self._hand.clear()
        self._offset = None

    def _believe(self, offset: str) -> None:
        """The stored offset is the truth: if it is not where this worker left it, another has committed."""
        if offset != self._offset:
            self._drop()
            self._offset = offset

    def _keep_lease(self) -> None:
        """Renewed in time; when it is lost all the same, the commit's comparison decides."""
        if self._lease.remaining_s() < LEASE_S / 2:
            self._lease.renew()

    def _step(self, done: Consumed) -> bool:
        """Fold and commit once. False when the log is drained."""
        entries, needs = self._take()
        if not entries:
            return False
        known = self._known(needs)
        assert self._offset is not None
        changes, committed = self._fold_and_commit(self._offset, known, entries)
        if committed is not Committed.STORED:
            # In both cases what is known here is not what is there.
            _log.warning(f"commit refused: {_REFUSALS[committed]}", partition=self._rules.partition)
            self._drop()
            self._believe(self._store.offset())
            return True
        self._offset = changes.offset
        self._cache.rows.update(changes.rows)
        self._cache.marks.update(changes.marks)
        if len(self._cache.rows) > CACHED_ROWS or len(self._cache.marks) > CACHED_ROWS:
            self._cache = Known(dict(changes.rows), dict(changes.marks))
        done.events += changes.counts["events"]
        done.entries += len(entries)
        done.commits += 1
        for letter in changes.letters:
            _tell(letter)
        for warned in changes.warnings:
            _log.warning("a row needs a look", **warned._asdict())
        return True

    def _fold_and_commit(self, offset: str, known: Known, entries: list[Entry]) -> tuple[Changes, Committed]:
        try:
            changes = fold(self._rules, known, entries)
            return changes, self._store.commit(offset, changes)
        except (RuntallyError, MemoryError):
            raise
        except Exception:  # noqa: BLE001  # whatever the bug is, it must cost no more than its event
            # A bug must not stop the partition for ever. Committing twice is safe: the second time the offset has moved.
            _log.exception("a fold failed: its events are folded one by one", partition=self._rules.partition, offset=offset)
            changes = fold_one_by_one(self._rules, known, entries)
            return changes, self._store.commit(offset, changes)

    def _take(self) -> tuple[list[Entry], Needs]:
        """The next entries for one commit, and what it takes to fold them. Read ahead when none are in hand; decoded only now, to be
        folded while they are warm."""
        if not self._hand:
            assert self._offset is not None
            self._hand.extend(self._store.read(self._offset, READ_ENTRIES))
        entries: list[Entry] = []
        needs = Needs()
        events = 0
        while self._hand and events < COMMIT_EVENTS and len(needs.row_ids) < COMMIT_ROWS:
            entry_id, batch = self._hand.popleft()
            entry = Entry(entry_id, int(entry_id.split("-")[0]), decode_batch(batch))
            entries.append(entry)
            events += len(entry.events)
            add_needs(self._rules, needs, entry)
        return entries, needs

    def _known(self, needs: Needs) -> Known:
        """The cache, filled up with what is needed and it lacks."""
        if needs.whole_runs:
            # Asked for where somebody may have changed rows behind the workers' back: what was cached is no proof then.
            self._cache = Known()
        needs.publishers -= self._cache.marks.keys()
        asks = needs.publishers or needs.ids or not needs.row_ids <= self._cache.rows.keys()
        loaded = self._load(needs) if asks else Known()
        self._cache.rows.update(loaded.rows)
        self._cache.marks.update(loaded.marks)
        return Known(self._cache.rows, self._cache.marks, loaded.seen, loaded.unreadable, loaded.retired)

    def _load(self, needs: Needs) -> Known:
        loaded = self._store.load(needs, self._cache.rows, id_buckets=2)
        if not loaded.unreadable:
            return loaded
        # What is made anew in the place of a row has its job's clients counted anew, and that takes all of them.
        needs.whole_runs |= {self._rules.target(row_id).run for row_id in loaded.unreadable}
        return self._store.load(needs, self._cache.rows, id_buckets=2)


def _tell(letter: Letter) -> None:
    """A line about what was set aside: the run and client of its event, or of the row that it was."""
    origin = dict(letter.origin)
    row_id = origin.pop("subject", None) or origin.pop("row", None)
    told = {"event_type": origin.pop("type", None), **about(row_id), **origin}
    _log.warning("set aside", kind=letter.kind, reason=letter.reason, **told)
