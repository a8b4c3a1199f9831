"""Run IDs that are unique within this process, for when no Redis can reserve them across machines."""

from __future__ import annotations

import heapq
import os
from datetime import UTC, datetime
from threading import Lock
from weakref import WeakSet

from contract.run_id_value import from_datetime, to_datetime

_REMEMBERED = 4096
"""Seconds remembered one by one. Earlier ones count as taken, all of them: no ID is ever handed out twice."""


class LocalIds:
    """Hands out base run IDs, no two alike. Thread-safe; a forked child knows what its parent had taken before."""

    def __init__(self) -> None:
        _living.add(self)
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


_living: WeakSet[LocalIds] = WeakSet()


def _renew_locks() -> None:
    # Another thread of the parent may have held a lock at the fork: in the child nobody would ever release it.
    for ids in _living:
        ids._lock = Lock()


os.register_at_fork(after_in_child=_renew_locks)
