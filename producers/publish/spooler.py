"""The spooler: a thread that writes to the spool while the sender may be waiting for Redis.

Started when an event has to be durable, or when the buffer fills. Signals and their handlers run in the main thread, so what is
done under the outbox's lock is not interrupted in its midst.
"""

from __future__ import annotations

from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from producers.spool.errors import SpoolRefused

if TYPE_CHECKING:
    from producers.publish.buffer import Buffer
    from producers.publish.event import Buffered
    from producers.publish.outbox import Outbox

_CHUNK_EVENTS = 2_000
_AGAIN_S = 0.1
_IDLE_S = 5.0


class Ticket:
    """Somebody waits for this event, which is in the buffer, to be on disk."""

    __slots__ = ("answer", "event")

    def __init__(self, event: Buffered) -> None:
        self.event = event
        self.answer: SimpleQueue[bool] = SimpleQueue()


class Spooler:
    """Runs in a thread of its own until `stopping`; `serve` may also be called where no thread can be started any more."""

    def __init__(self, buffer: Buffer, outbox: Outbox) -> None:
        self.stopping = False
        self.asleep = False
        self.tickets: deque[Ticket] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._buffer = buffer
        self._outbox = outbox

    def ring(self) -> None:
        """There is a ticket, or the buffer fills. Costs nothing while the spooler is at work."""
        if self.asleep:
            self.asleep = False
            self._wake.put(None)

    def stop(self) -> None:
        """End the thread after what it does now."""
        self.stopping = True
        self._wake.put(None)

    def run(self) -> None:
        """Until told to stop: serve tickets, relieve the buffer."""
        while not self.stopping:
            self.asleep = True
            # Looked at again after the flag is up: who came in between has not rung.
            if not self.tickets and not self._buffer.crowded:
                self._nap(_IDLE_S)
            self.asleep = False
            if not self.serve():
                self._nap(_AGAIN_S)

    def serve(self) -> bool:
        """Serve the tickets there are, all with one fsync, and relieve a crowded buffer. False when the spool refuses."""
        tickets = [self.tickets.popleft() for _ in range(len(self.tickets))]
        kept = [False] * len(tickets)
        try:
            if tickets:
                with self._outbox.lock:
                    kept = self._keep(tickets)
        finally:
            for ticket, answer in zip(tickets, kept, strict=True):
                ticket.answer.put(answer)
        return self._relieve() if self._buffer.crowded else True

    def _relieve(self) -> bool:
        """Move events from the buffer to the disk until half of it is free."""
        while not self._buffer.relieved:
            with self._outbox.lock:
                if self.stopping:
                    return True
                try:
                    self._outbox.spill()
                    self._outbox.collect(self._buffer, _CHUNK_EVENTS)
                    self._outbox.spill()
                except SpoolRefused:
                    return False
        return True

    def _keep(self, tickets: list[Ticket]) -> list[bool]:
        """Whether each ticket's event is on disk (or delivered already)."""
        if self.stopping:
            return [False] * len(tickets)
        try:
            # What is in memory first: while the disk is full, memory must not grow with every ticket.
            self._outbox.store(sync=False)
            self._outbox.collect(self._buffer, len(self._buffer))
            self._outbox.store(sync=True)
        except SpoolRefused:
            # Perhaps some were stored or delivered before. To deny it is on the safe side.
            return [False] * len(tickets)
        if not self._outbox.has_room:
            self._outbox.spill()
        return [not self._is_refused(ticket.event) for ticket in tickets]

    def _is_refused(self, event: Buffered) -> bool:
        before = len(self._outbox.refused)
        self._outbox.refused = [other for other in self._outbox.refused if other is not event]
        return len(self._outbox.refused) < before

    def _nap(self, seconds: float) -> None:
        try:
            self._wake.get(timeout=seconds)
        except Empty:
            return
