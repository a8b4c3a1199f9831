"""Run IDs that are unique within this process, for when no Redis can reserve them across machines."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime, timedelta
from threading import Lock

from contract.run_id_value import from_datetime, to_datetime

_REMEMBERED = 4096
"""Seconds remembered one by one. Earlier ones count as taken, all of them: no ID is ever handed out twice."""


class LocalIds:
    """Hands out base run IDs, no two alike. Thread-safe; a forked child inherits what its parent had taken."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._taken: set[datetime] = set()
        self._oldest: list[datetime] = []  # the same seconds as a heap
        self._closed = datetime(2000, 1, 1, tzinfo=UTC) - timedelta(seconds=1)  # all seconds up to here count as taken

    def take(self, now: datetime) -> str:
        """The base of an aware time, or of the next free second if it is taken. Raises RunIdInvalid as `from_datetime` does."""
        second = to_datetime(from_datetime(now))
        with self._lock:
            second = max(second, self._closed + timedelta(seconds=1))
            while second in self._taken:
                second += timedelta(seconds=1)
            base = from_datetime(second)
            self._remember(second)
        return base

    def _remember(self, second: datetime) -> None:
        self._taken.add(second)
        heapq.heappush(self._oldest, second)
        if len(self._taken) > _REMEMBERED:
            self._closed = heapq.heappop(self._oldest)
            self._taken.remove(self._closed)
