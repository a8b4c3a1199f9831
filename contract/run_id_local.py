"""Run IDs that are unique within this process, for when no Redis can reserve them across machines."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime
from threading import Lock

from contract.run_id_value import from_datetime, to_datetime

_REMEMBERED = 4096
"""Seconds remembered one by one. Earlier ones count as taken, all of them: no ID is ever handed out twice."""


class LocalIds:
    """Hands out base run IDs, no two alike. Thread-safe; a forked child inherits what its parent had taken."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._taken: set[int] = set()  # seconds since 1970
        self._oldest: list[int] = []  # the same seconds as a heap
        self._closed = 0  # all seconds up to here count as taken

    def take(self, now: datetime) -> str:
        """The base of an aware time, or of the next free second if it is taken. Raises RunIdInvalid as `from_datetime` does."""
        second = int(to_datetime(from_datetime(now)).timestamp())
        with self._lock:
            second = max(second, self._closed + 1)
            while second in self._taken:
                second += 1
            base = from_datetime(datetime.fromtimestamp(second, UTC))
            self._remember(second)
        return base

    def _remember(self, second: int) -> None:
        self._taken.add(second)
        heapq.heappush(self._oldest, second)
        if len(self._taken) > _REMEMBERED:
            self._closed = heapq.heappop(self._oldest)
            self._taken.remove(self._closed)
