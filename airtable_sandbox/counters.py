"""What has been asked of the sandbox since the start or the last reset."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import Any


class Counters:
    """Counts calls below /v0; control calls and the page are not counted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        self._by_endpoint: Counter[str] = Counter()
        self._by_status: Counter[int] = Counter()
        self._faults: Counter[str] = Counter()
        self._records_written = 0
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)
        self._most_in_one_s: Counter[str] = Counter()

    def arrived(self, endpoint: str, base_id: str | None) -> None:
        """A call came in, whatever becomes of it."""
        self._by_endpoint[endpoint] += 1
        key = base_id or "meta"
        now, recent = self._clock(), self._recent[key]
        recent.append(now)
        while recent[0] <= now - 1.0:
            recent.popleft()
        self._most_in_one_s[key] = max(self._most_in_one_s[key], len(recent))

    def applied(self, records_written: int) -> None:
        """A write was carried out, whether or not its answer reached the client."""
        self._records_written += records_written

    def answered(self, status: int) -> None:
        self._by_status[status] += 1

    def fault(self, kind: str) -> None:
        self._faults[kind] += 1

    def as_json(self, lockouts: int) -> dict[str, Any]:
        """`most_calls_in_one_s` is the fullest sliding second of any one base; calls that were refused are in it."""
        return {
            "calls": self._by_endpoint.total(),
            "calls_by_endpoint": dict(sorted(self._by_endpoint.items())),
            "answers_by_status": {str(status): count for status, count in sorted(self._by_status.items())},
            "most_calls_in_one_s": max(self._most_in_one_s.values(), default=0),
            "most_calls_in_one_s_by_base": dict(self._most_in_one_s),
            "rate_limited": self._by_status[429],
            "lockouts": lockouts,
            "records_written": self._records_written,
            "faults": dict(self._faults),
        }
