"""How far one run has come: what of it is folded, and which of its rows Airtable holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from contract import keys
from contract.errors import StoreUnavailable
from contract.link import Link
from contract.registry import load_registry
from contract.settings import Settings
from worker.store.reader import Reader


@dataclass(frozen=True)
class Stand:
    """`folded`: events in the run's rows, signs of life aside. `rows`: of the job and its clients. `written`: those whose newest version
    Airtable holds."""

    folded: int = 0
    rows: int = 0
    written: int = 0


class RunWatch:
    """Looks with a connection of its own, from one thread."""

    def __init__(self, settings: Settings, run_id: str, link: Link) -> None:
        self._partition = keys.partition_of(run_id, settings.partitions)
        self._run_id = run_id
        self._base_id = settings.airtable_base_id or ""
        self._link = link
        self._reader = Reader(link, settings.partitions, load_registry(settings.metrics_file))
        self._last = Stand()

    def look(self) -> Stand:
        """How it stands now; while Redis is away, how it stood last. Raises StoreRefused."""
        try:
            self._link.open()
            self._last = self._look()
        except StoreUnavailable:
            pass
        return self._last

    def counters(self) -> dict[str, int]:
        """What the folds and the flush have ever counted in this Redis, of all runs. Raises StoreUnavailable, StoreRefused."""
        self._link.open()
        return self._reader.counters() | self._reader.flush_counters(self._base_id)

    def _look(self) -> Stand:
        job = self._reader.job(self._run_id)
        if job is None:
            return Stand()
        rows = [job, *self._reader.clients(self._run_id)]
        # The version that is there may be newer than the one looked at: then a row counts as waiting that had just been written.
        waiting = self._link.call("ZMSCORE", keys.dirty(self._partition), *(row.row_id for row in rows))
        return Stand(sum(row.events for row in rows), len(rows), waiting.count(None))


@contextmanager
def watching(settings: Settings, run_id: str) -> Iterator[RunWatch]:
    """A watch on one run. Raises SettingsInvalid, StoreUnavailable."""
    link = Link(settings.redis_url.get_secret_value(), name="runtally-demo")
    link.open()
    try:
        yield RunWatch(settings, run_id, link)
    finally:
        link.close()
