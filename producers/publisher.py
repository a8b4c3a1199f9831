"""The publisher: `emit` puts an event in a bounded buffer and returns; a daemon thread sends it.

Nothing heavy is imported here: redis, msgspec and structlog come with the sender, in its thread.
"""

from __future__ import annotations

import threading
import time as clock
from collections import Counter, deque
from collections.abc import Mapping
from datetime import datetime
from queue import Empty, SimpleQueue
from secrets import token_hex
from typing import TYPE_CHECKING, Any, NamedTuple

from contract import run_id as run_ids
from contract.errors import EventRejected, RunIdInvalid
from producers import exits

if TYPE_CHECKING:
    from contract.settings import Settings
    from producers.sender import Sender

_SUBJECTS_REMEMBERED = 10_000
_IMPORTS_S = 10.0


class Subject(NamedTuple):
    """Where an event belongs: the row ID it is about, and the base run ID, which decides the partition."""

    row_id: str
    run: str


class Buffered(NamedTuple):
    """An event that waits to be sent. `id` is None for one numbered by its publisher; `at`: ns since the epoch, or a time."""

    type: str
    subject: Subject
    data: dict[str, Any]
    id: str | None
    at: int | datetime


class Publisher:
    """Sends events of this process, in order, each at least once; the watermark behind the log drops repeats.

    Safe to use from any thread, and after a fork (the child begins with an empty buffer and a source of its own, so that
    nothing is sent twice). Drained at exit and on SIGTERM, for `drain_timeout_s` at most. A process that is killed loses
    what it emitted in about the last `linger_ms`.
    """

    def __init__(self, settings: Settings) -> None:
        """Opens no connection and starts no thread: the first event does."""
        self.settings = settings
        self._limit = settings.buffer_events
        self._subjects: dict[tuple[Any, Any], Subject] = {}
        self.begin_anew()
        exits.watch(self)

    def begin_anew(self) -> None:
        """An empty buffer, a source and a thread of its own: at the start, and in a forked child. What the parent of a fork
        holds, the parent sends."""
        self.nonce = token_hex(8)
        """Part of the source of events that this publisher numbers; a new one in a forked child."""
        self.buffer: deque[Buffered] = deque()
        self.wake: SimpleQueue[None] = SimpleQueue()
        self.waiters: deque[SimpleQueue[None]] = deque()
        self.asleep = False
        self._dropped: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._sender: Sender | None = None
        self._thread: threading.Thread | None = None
        self._imported = threading.Event()

    def emit(self, type: str, data: Mapping[str, Any], id: str | None = None, time: datetime | None = None) -> bool:
        """Put an event in the buffer; False when the buffer was full and the event was dropped and counted.

        `data` holds `run_id`, for client events `client_id` (or a run ID with the client), and what contract.events.Data
        names. `id`: an identity of your own, the same at every repeat (remembered for `id_memory_s`); without one the
        publisher numbers the event. `time`: when it happened, with a zone; now if left out.

        Raises RunIdInvalid, RunIdConflict or EventRejected for what can never be counted. Never blocks, never raises for
        transport trouble.
        """
        fields = {name: value.copy() if value.__class__ is dict else value for name, value in data.items()}
        subject = self.subject(fields.pop("run_id", None), fields.pop("client_id", None))
        if time is not None and time.tzinfo is None:
            raise EventRejected("the event's time has no zone: give an aware datetime, such as datetime.now(UTC)")
        return self.put(type, subject, fields, id, time)

    def put(self, type: str, subject: Subject, data: dict[str, Any], id: str | None = None, time: datetime | None = None) -> bool:
        """`emit` for callers that have the subject and own `data`: nothing is checked, nothing copied."""
        if len(self.buffer) >= self._limit:
            self.drop("buffer_full")
            return False
        self.buffer.append(Buffered(type, subject, data, id, clock.time_ns() if time is None else time))
        if self.asleep:
            self.asleep = False
            self.wake.put(None)
        elif self._thread is None:
            self._start()
        return True

    def subject(self, run_id: Any, client_id: Any = None) -> Subject:
        """The subject for a run and, where there is one, a client. Raises RunIdInvalid, RunIdConflict."""
        try:
            known = self._subjects.get((run_id, client_id))
        except TypeError:
            raise RunIdInvalid(f"run and client ID are texts, not {run_id!r:.100} and {client_id!r:.100}") from None
        if known is None:
            standard = run_ids.convert(run_id)
            row_id = standard if client_id is None else run_ids.with_client(standard, client_id)
            parsed = run_ids.require(row_id)
            assert parsed.base is not None
            known = Subject(row_id, parsed.base)
            if len(self._subjects) >= _SUBJECTS_REMEMBERED:
                self._subjects.clear()
            self._subjects[run_id, client_id] = known
        return known

    def flush(self, timeout_s: float = 5.0) -> int:
        """Wait until everything emitted so far is delivered, at most `timeout_s`; the number of events that are not."""
        deadline = clock.monotonic() + timeout_s
        waiter: SimpleQueue[None] = SimpleQueue()
        self.waiters.append(waiter)
        try:
            while self.pending and (left := deadline - clock.monotonic()) > 0:
                if self._thread is None:
                    self._start()
                self.wake.put(None)
                try:
                    waiter.get(timeout=min(left, 0.05))
                except Empty:
                    continue
        finally:
            self.waiters.remove(waiter)
        return self.pending

    def close(self, timeout_s: float | None = None) -> int:
        """Deliver what is left, at most `timeout_s` (default: `drain_timeout_s`), and end the thread; what is not delivered."""
        undelivered = self.flush(self.settings.drain_timeout_s if timeout_s is None else timeout_s)
        sender, thread = self._sender, self._thread
        if sender is not None and thread is not None:
            sender.stopping = True
            self.wake.put(None)
            thread.join(timeout=1.0)
            self._thread = None
        return undelivered

    @property
    def pending(self) -> int:
        """Events emitted and not yet delivered (an upper bound while the sender is at work)."""
        sender = self._sender
        return len(self.buffer) + (sender.holding if sender is not None else 0)

    @property
    def counters(self) -> dict[str, int]:
        """`published` (delivered events), `batches`, `resent` (batches sent again), `dropped_<reason>`."""
        sender = self._sender
        counts = Counter({f"dropped_{reason}": number for reason, number in self._dropped.items()})
        counts.update(sender.counts if sender is not None else {})
        return dict(counts)

    def drop(self, reason: str, number: int = 1) -> None:
        """Count events that were not taken or cannot be sent."""
        with self._lock:
            self._dropped[reason] += number

    def settle(self) -> None:
        """Before a fork: wait until the sender's imports are done. A child forked in their midst could never import them."""
        if self._thread is not None:
            self._imported.wait(timeout=_IMPORTS_S)

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._send, name="runtally-publisher", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return  # the interpreter is shutting down; the drain at exit says how many events are left
            self._thread = thread
        exits.arm()

    def _send(self) -> None:
        try:
            from producers.sender import Sender

            if self._sender is None:
                self._sender = Sender(self)
            self._imported.set()
            self._sender.run()
        except BaseException:
            # A fault of ours. The next event starts another thread, which goes on with what this one held.
            self._thread = None
            raise
