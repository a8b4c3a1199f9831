"""The publisher: `emit` puts an event in a bounded buffer and returns; a daemon thread sends it.

Nothing heavy is imported here: redis, pydantic and structlog come with the sender, in its thread.
"""

from __future__ import annotations

import time as clock
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from contract import run_id as run_ids
from contract.addressing import check_address
from contract.errors import EventRejected, RunIdInvalid
from contract.events import EventType
from contract.shown import shown
from producers import exits
from producers.origins import origin_of
from producers.publish.buffer import Buffer
from producers.publish.event import Buffered, Subject
from producers.publish.life import Life

if TYPE_CHECKING:
    from contract.settings import Settings

_NAMED_VALUES = ("metrics", "totals", "skips")
_ANNOUNCEMENTS = frozenset({EventType.JOB_STARTED, EventType.CLIENT_STARTED})
_SUBJECTS_REMEMBERED = 10_000
_COUNTERS = ("published", "batches", "resent", "spooled", "adopted")


class Publisher:
    """Sends events of this process, in order, each at least once; the watermark behind the log drops repeats.

    Safe to use from any thread, and after a fork (the child begins with an empty buffer and a source of its own, so that
    nothing is sent twice). While Redis is away events go to the spool on disk (docs/spool.md). Drained at exit and on SIGTERM,
    for `drain_timeout_s` at most; what is left then goes to the spool. A process that is killed loses what it emitted in about
    the last `linger_ms` (while Redis is away: the last second or two), and nothing that was emitted `durable`.
    """

    def __init__(self, settings: Settings) -> None:
        """Opens no connection and starts no thread: the first event does."""
        self.settings = settings
        self.left = 0
        """Events that the last `close` left in the spool."""
        self._durable = settings.durable
        self._subjects: dict[tuple[Any, Any], Subject] = {}
        self._begin()
        exits.watch(self)

    def begin_anew(self) -> None:
        """An empty buffer, a source and threads of its own: at the start, and in a forked child. What the parent of a fork holds,
        the parent sends."""
        self.life.forget()
        self._begin()

    def _begin(self) -> None:
        self.buffer = Buffer(self.settings.buffer_events)
        self.life = Life(self.settings, self.buffer)

    def emit(
        self, type: str, data: Mapping[str, Any], id: str | None = None, time: datetime | None = None, *, durable: bool = False
    ) -> bool:
        """Put an event in the buffer; False when the buffer was full and the event was dropped and counted.

        `data` holds `run_id`, for client events `client_id` (or a run ID with the client), and what contract.events.Data
        names. `id`: an identity of your own, the same at every repeat (remembered for `id_memory_s`); without one the
        publisher numbers the event. `time`: when it happened, with a zone; now if left out. `durable`: as the setting `durable`,
        for this event.

        A durable event is on this host's disk (fsynced) when True comes back: no end of the process loses it. False: it is not. It
        was dropped and counted, or the disk is full and it is held in memory like any other (counted `not_durable`): to emit it
        again is safe only if it has an `id` of its own.

        Raises RunIdInvalid, RunIdConflict or EventRejected for what can never be counted: an unknown type, a client's event without a
        client, a job's with one, metrics that are no mapping. A value that cannot be used is set aside later, alone. Never raises for
        transport trouble, and never blocks, but for the disk if durable.
        """
        fields = {name: value.copy() if value.__class__ is dict else value for name, value in data.items()}
        subject = self.subject(fields.pop("run_id", None), fields.pop("client_id", None))
        if time is not None and time.tzinfo is None:
            raise EventRejected("the event's time has no zone: give an aware datetime, such as datetime.now(UTC)")
        check_address(type, subject.run, subject.row_id)
        for part in _NAMED_VALUES:
            if (values := fields.get(part)) is not None and values.__class__ is not dict:
                fields[part] = _as_dict(part, values)
        if type in _ANNOUNCEMENTS and "origin" not in fields and (origin := origin_of(subject.run)) is not None:
            fields["origin"] = origin
        return self.put(type, subject, fields, id, time, durable)

    def put(
        self,
        type: str,
        subject: Subject,
        data: dict[str, Any],
        id: str | None = None,
        time: datetime | None = None,
        durable: bool = False,
    ) -> bool:
        """`emit` for callers that have the subject and own `data`: nothing is checked, nothing copied."""
        buffer = self.buffer
        if len(buffer.events) >= buffer.crowd_at and not self._relieve():
            return False
        event = Buffered(type, subject, data, id, clock.time_ns() if time is None else time, durable or self._durable)
        buffer.events.append(event)
        if buffer.asleep:
            buffer.ring()
        elif not self.life.sending:
            self.life.start()
        return self._keep(event) if event.durable else True

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
        """Wait until everything emitted so far is delivered, at most `timeout_s`; the number of events that are not (those in the
        spool among them)."""
        deadline = clock.monotonic() + timeout_s
        waiter: SimpleQueue[None] = SimpleQueue()
        buffer = self.buffer
        buffer.waiters.append(waiter)
        try:
            while self.pending and (left := deadline - clock.monotonic()) > 0:
                if not self.life.sending:
                    self.life.start()
                buffer.wake.put(None)
                try:
                    waiter.get(timeout=min(left, 0.05))
                except Empty:
                    continue
        finally:
            buffer.waiters.remove(waiter)
        return self.pending

    def close(self, timeout_s: float | None = None) -> int:
        """Deliver what is left, at most `timeout_s` (default: `drain_timeout_s`), store the rest in the spool, and end the threads.

        How many events are neither delivered nor stored: 0 unless the spool refused. `left` says how many are stored. Another
        publisher on the host sends these. An event emitted later begins anew, with another source."""
        undelivered = self.flush(self.settings.drain_timeout_s if timeout_s is None else timeout_s)
        life = self.life
        lost = life.end()
        self.left = max(0, undelivered - lost)
        self.buffer.counts.update(life.outbox.counts)
        self.life = Life(self.settings, self.buffer)
        return lost

    @property
    def nonce(self) -> str:
        """Part of the source of events that this publisher numbers; a new one in a forked child and after `close`."""
        return self.life.nonce

    @property
    def pending(self) -> int:
        """Events emitted and not yet delivered, in memory or in the spool (an upper bound while the sender is at work)."""
        return len(self.buffer) + self.life.outbox.own_events

    @property
    def counters(self) -> dict[str, int]:
        """`published` (delivered events), `batches`, `resent` (batches sent again that the log may have had), `spooled` (events
        written to the spool), `adopted` (delivered events of dead publishers), `not_durable`, `damaged_records`, `dropped_<reason>`."""
        counts = Counter(dict.fromkeys(_COUNTERS, 0))
        for counted in (self.buffer.counts, self.life.outbox.counts):
            counts.update(counted.copy())
        counts.update({f"dropped_{reason}": number for reason, number in self.buffer.drops.counts.copy().items()})
        return dict(counts)

    def _relieve(self) -> bool:
        """The buffer is crowded: whether there is room all the same."""
        self.life.relieve()
        if not self.buffer.full:
            return True
        self.buffer.drop(self.life.outbox.refusal or "buffer_full")
        return False

    def _keep(self, event: Buffered) -> bool:
        kept = self.life.keep(event)
        if not kept:
            self.buffer.count("not_durable")
        return kept


def _as_dict(part: str, values: Any) -> dict[Any, Any]:
    if not isinstance(values, Mapping):
        raise EventRejected(f"{part} are names with values, such as {{'leads_processed': 1}}, not {shown(values)}")
    return dict(values)
