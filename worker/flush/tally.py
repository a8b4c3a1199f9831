"""Counters of the flush: kept in Redis for all time, and here for one flush's report."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from contract import keys
from contract.errors import StoreRefused
from contract.link import Link


class Tally:
    """Adds to the counters of one base: `rows_written`, `refused_fields`, `refused_rows`, `duplicates_merged`, `options_added`,
    `records_lost`, `busy`, `unclear`, and `dead_dropped`, the dead letters that their bound has dropped."""

    def __init__(self, link: Link, base_id: str) -> None:
        self._link = link
        self._key = keys.flush_counters(base_id)
        self.here: Counter[str] = Counter()
        """What this flush has counted."""

    def called(self) -> None:
        """Count a request, here only: in Redis the limiter's script counts it."""
        self.here["calls"] += 1

    def add(self, name: str, count: int = 1) -> None:
        """Count. Raises StoreUnavailable; a crash before it loses the count, never a row."""
        self.here[name] += count
        # A full Redis takes no counts, but its rows have to be flushed all the same: that is what lets them expire.
        with suppress(StoreRefused):
            self._link.call("HINCRBY", self._key, name, count)
