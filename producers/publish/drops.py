"""Events that were dropped: counted by reason, and told in the log, once a reason and a while."""

from __future__ import annotations

import threading
from collections import Counter
from time import monotonic
from typing import NamedTuple

_AGAIN_S = 60.0
"""A reason that goes on is told again after so long, with what came since."""


class Dropped(NamedTuple):
    """What is to be told: how many events since this reason was last told, how many in all, and the last event that is known of them
    (its type and run), if any."""

    reason: str
    events: int
    in_all: int
    last: str | None


class Drops:
    """Safe to use from any thread, and by a signal's handler."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._told: Counter[str] = Counter()
        self._last: dict[str, str] = {}
        self._due_at: dict[str, float] = {}
        self._news = False

    def add(self, reason: str, number: int = 1, event: str | None = None) -> None:
        """Count `number` events. `event`: one of them."""
        if number:
            with self._lock:
                self.counts[reason] += number
                if event is not None:
                    self._last[reason] = event
                self._news = True

    def to_tell(self, *, everything: bool = False) -> list[Dropped]:
        """What is due to be told, and counts as told from now on. `everything`: also what was told a moment ago."""
        if not self._news:
            return []
        now = monotonic()
        with self._lock:
            news = [reason for reason, number in self.counts.items() if number > self._told[reason]]
            due = [reason for reason in news if everything or now >= self._due_at.get(reason, now)]
            found = [Dropped(name, self.counts[name] - self._told[name], self.counts[name], self._last.get(name)) for name in due]
            for name in due:
                self._told[name] = self.counts[name]
                self._due_at[name] = now + _AGAIN_S
            self._news = len(due) < len(news)
        return found
