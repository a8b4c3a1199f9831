"""The buffer: what was emitted and is not numbered yet, bounded, with what its emptying thread is woken by."""

from __future__ import annotations

import threading
from collections import Counter, deque
from queue import SimpleQueue

from producers.publish.drops import Drops
from producers.publish.event import Buffered


class Buffer:
    """Filled by every thread that emits, emptied by whoever holds the outbox's lock."""

    def __init__(self, most_events: int) -> None:
        self.events: deque[Buffered] = deque()
        self.crowd_at = most_events * 3 // 4
        """From so many events on it is crowded."""
        self.wake: SimpleQueue[None] = SimpleQueue()
        """Rings for the sender."""
        self.asleep = False
        """Whether the sender waits for a ring. Read without a lock by every emit."""
        self.waiters: deque[SimpleQueue[None]] = deque()
        """Those who flush: each is told of every turn of the sender."""
        self.counts: Counter[str] = Counter()
        self.drops = Drops()
        """What was not taken or cannot be sent. The sender tells it."""
        self._limit = most_events
        # Reentrant: a signal's handler may find its own thread inside.
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self.events)

    def ring(self) -> None:
        """Wake the sender, which is asleep."""
        self.asleep = False
        self.wake.put(None)

    @property
    def crowded(self) -> bool:
        """Whether it fills faster than it is sent."""
        return len(self.events) >= self.crowd_at

    @property
    def relieved(self) -> bool:
        """Whether at least half of it is free."""
        return len(self.events) * 2 <= self._limit

    @property
    def full(self) -> bool:
        """Whether it takes no more."""
        return len(self.events) >= self._limit

    def count(self, name: str, number: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self.counts[name] += number

    def drop(self, reason: str, number: int = 1, event: str | None = None) -> None:
        """Count events that were not taken or cannot be sent; `event` is one of them."""
        self.drops.add(reason, number, event)
