"""The sender: takes events from the buffer, numbers and packs them, and delivers batches in order.

One batch in flight a lane, and the oldest unconfirmed first: both make a plain watermark exact. After a new connection
everything unconfirmed is sent again (docs/design.md, the connection rule).
"""

from __future__ import annotations

import random
import sys
import threading
from contextlib import suppress
from queue import Empty
from time import monotonic
from typing import TYPE_CHECKING, Any

import structlog

from contract import keys
from contract.errors import LayoutMismatch, RuntallyError, StoreRefused, StoreUnavailable
from contract.layout import claim_layout
from contract.link import Command, Link
from producers.publish.log_bound import LogBound
from producers.spool.errors import SpoolRefused

if TYPE_CHECKING:
    from contract.settings import Settings
    from producers.publish.buffer import Buffer
    from producers.publish.outbox import Outbox
    from producers.spool.lane import Batch

_IDLE_S = 1.0
_BACKOFF_S = (0.05, 5.0)
LOG_FULL = "LOGFULL"
"""Code of the refusal that is our own: the log is over its bound."""

_LOG_FULL_S = 0.2
_CONFIRM_WAIT_MS = 2_000
_SPILL_AFTER_S = {"appended": 1.0, "fsynced": 3.0, "replicated": 3.0}
"""How long nothing may be delivered before the memory is spooled. With `fsynced` a second or two is normal."""

_ADOPT_EVERY_S = 5.0
_ADOPT_FOLDERS = 4
_TELL_EVERY_S = 5.0


def _log() -> Any:
    """Where the application has set structlog up, its logger; else standard error: a script's output is its own."""
    if structlog.is_configured():
        return structlog.get_logger("runtally.publisher")
    return structlog.wrap_logger(structlog.PrintLogger(sys.stderr))


class Sender:
    """Runs in the life's thread until `stopping`."""

    def __init__(self, settings: Settings, buffer: Buffer, outbox: Outbox) -> None:
        self.stopping = False
        self._buffer = buffer
        self._outbox = outbox
        self._counts = outbox.counts
        self._partitions = settings.partitions
        self._batch_events = settings.batch_events
        self._delivery = settings.delivery
        self._replicas = settings.replicas
        self._spill_after_s = _SPILL_AFTER_S[settings.delivery]
        self._linger_s = settings.linger_ms / 1000
        self._link = Link(settings.redis_url.get_secret_value(), name="runtally-publisher")
        self._bound = LogBound(self._link, settings.log_max_entries)
        self.underway = threading.Lock()
        """Held during a turn: a fork waits for its end, since the child could never finish an import or a call begun in it."""
        self._epoch = 0
        self._failures = 0
        self._refusal: str | None = None
        self._well_at = self._adopt_at = self._tell_at = monotonic()

    def run(self) -> None:
        """Until told to stop: wait for events, deliver them. Transport trouble is waited out, with the events kept."""
        while not self.stopping:
            self._wait()
            try:
                while not self.stopping and self._undisturbed_turn():
                    self._tell_waiters()
            except RuntallyError as error:
                self._back_off(error)
            self._tell_waiters()
        self._tell_drops(everything=True)
        self._link.close()

    def deliver_adopted(self, *, any_target: bool) -> bool:
        """One turn for what dead publishers left, without a thread; False when nothing of it is left that can be taken over.

        Raises StoreUnavailable, StoreRefused: what is not delivered stays in the spool."""
        with self._outbox.lock:
            if not self._outbox:
                self._outbox.adopt(_ADOPT_FOLDERS, any_target=any_target)
        return self._turn()

    def close(self) -> None:
        """Close the connection; where `run` has not done it."""
        self._link.close()

    def _wait(self) -> None:
        """Until there is something to send, and then for company: `linger_ms`, unless a batch is full or somebody flushes."""
        buffer = self._buffer
        if not buffer.events and not self._outbox:
            self._adopt()
            buffer.asleep = True
            # Looked at again after the flag is up: an event put in between has not rung.
            if not buffer.events and not buffer.waiters and not self._outbox and not self._nap(_IDLE_S):
                with self._outbox.lock:
                    self._outbox.tidy()
            buffer.asleep = False
        if buffer.events and len(buffer) < self._batch_events and not buffer.waiters:
            self._nap(self._linger_s)

    def _nap(self, seconds: float) -> bool:
        """Whether somebody rang."""
        try:
            self._buffer.wake.get(timeout=seconds)
        except Empty:
            return False
        return True

    def _undisturbed_turn(self) -> bool:
        with self.underway:
            return self._turn()

    def _turn(self) -> bool:
        """Take events from the buffer as far as the outbox has room, and make one round trip. False when nothing is to be sent."""
        with self._outbox.lock:
            if not self._outbox:
                self._well_at = monotonic()
            if not self.stopping:
                self._outbox.collect(self._buffer, self._outbox.room_events)
            damaged = self._counts["damaged_records"]
            lost = self._outbox.refill()
            damaged = self._counts["damaged_records"] - damaged
            self._outbox.close_batches()
            waiting = bool(self._outbox)
        if lost or damaged:
            self._buffer.drop("spool_damaged", lost)
            _log().error("damaged records in the spool: they are kept there as damaged-…", own_events=lost, adopted_records=damaged)
        self._tell_drops()
        if not waiting:
            return False
        self._deliver()
        self._keep_safe()
        self._adopt()
        return True

    def _deliver(self) -> None:
        """One round trip: the next batch of every lane. Raises StoreUnavailable, StoreRefused."""
        epoch = self._link.open()
        if epoch != self._epoch:
            claim_layout(self._link, self._partitions)
            with self._outbox.lock:
                self._outbox.rewind()
            self._epoch = epoch
        batches = self._sendable()
        if batches:
            self._append(batches)
        if self._delivery != "appended" and (not self._sendable() or self._is_window_full()):
            self._confirm_sent()
        if not batches and self._bound.full:
            self._bound.look()
            if self._bound.full:
                raise StoreRefused(f"{LOG_FULL} the log of partition {min(self._bound.full)} is over its bound, and not folded")

    def _sendable(self) -> list[Batch]:
        with self._outbox.lock:
            return [batch for batch in self._outbox.next_unsent() if self._bound.full.isdisjoint(batch.entries)]

    def _is_window_full(self) -> bool:
        with self._outbox.lock:
            return self._outbox.window_full

    def _append(self, batches: list[Batch]) -> None:
        entries = [(batch, partition, body) for batch in batches for partition, body in batch.entries.items()]
        partitions = sorted({partition for _, partition, _ in entries})
        commands: list[Command] = [("XADD", keys.log(partition), "*", "batch", body) for _, partition, body in entries]
        lengths: list[Command] = [("XLEN", keys.log(partition)) for partition in partitions]
        bell: list[str | int] = [part for partition in partitions for part in (0, partition)]
        for batch in batches:
            self._counts["resent"] += batch.tried
            batch.tried = True
        replies = self._link.pipeline([*commands, *lengths, ("ZADD", keys.BELL, *bell)])
        refused = self._answered(batches, [(batch, reply) for (batch, _, _), reply in zip(entries, replies, strict=False)])
        self._failures = 0 if refused is None else self._failures
        for partition, length in zip(partitions, replies[len(entries) :], strict=False):
            self._bound.learn(partition, length)
        if refused is not None:
            raise refused

    def _answered(self, batches: list[Batch], answers: list[tuple[Batch, Any]]) -> StoreRefused | None:
        """Note which batches the log holds; why it refused one, if it did. One that is in several partitions counts when all of it is."""
        refused = {batch.lane: reply for batch, reply in answers if isinstance(reply, StoreRefused)}
        with self._outbox.lock:
            for batch in batches:
                if batch.lane in refused:
                    batch.tried = batch.scattered is not None
                    continue
                self._outbox.mark_sent(batch)
                if self._delivery == "appended":
                    self._delivered(batch)
        return next(reversed(refused.values()), None)

    def _confirm_sent(self) -> None:
        """Everything sent on this connection is as safe as the delivery level asks, or another try is due.

        Sources: WAITAOF and WAIT, valkey.io; both speak of the writes of the connection that asks."""
        with self._outbox.lock:
            sent = self._outbox.sent()
        if not sent:
            return
        if self._delivery == "fsynced":
            local, _ = self._link.call("WAITAOF", 1, 0, _CONFIRM_WAIT_MS)
            enough = local >= 1
        else:
            enough = self._link.call("WAIT", self._replicas, _CONFIRM_WAIT_MS) >= self._replicas
        if enough:
            with self._outbox.lock:
                for batch in sent:
                    self._delivered(batch)

    def _delivered(self, batch: Batch) -> None:
        self._outbox.confirm(batch.lane)
        self._well_at = monotonic()

    def _tell_waiters(self) -> None:
        for waiter in list(self._buffer.waiters):
            waiter.put(None)

    def _tell_layout(self, error: LayoutMismatch) -> None:
        self._counts["layout_refused"] += 1
        if self._counts["layout_refused"] == 1:
            _log().error(
                "refused: events go to the spool until this program is started again with the right setting, and are sent then",
                error=str(error),
                waiting=self._waiting,
            )

    def _tell_drops(self, *, everything: bool = False) -> None:
        for reason, events, in_all, last in self._buffer.drops.to_tell(everything=everything):
            _log().error("events dropped: they will never count", reason=reason, events=events, in_all=in_all, last=last)

    def _adopt(self) -> None:
        """Now and then, while the log can be reached: take over what dead publishers left."""
        if self._epoch and not self._failures and monotonic() >= self._adopt_at and not self.stopping:
            self._adopt_at = monotonic() + _ADOPT_EVERY_S
            with self._outbox.lock:
                lanes = self._outbox.adopt(_ADOPT_FOLDERS)
            if lanes:
                _log().info("adopted the spool of dead publishers", lanes=lanes)

    def _keep_safe(self) -> None:
        """When nothing was delivered for a while, or older events are on disk already, spool what is in memory."""
        if not self._outbox.own_events and not self._buffer.events:
            return
        late = monotonic() - self._well_at >= self._spill_after_s
        with self._outbox.lock, suppress(SpoolRefused):
            if not self.stopping and (late or self._outbox.spilled):
                self._outbox.spill()
                self._outbox.collect(self._buffer, len(self._buffer))
                self._outbox.spill()
        if self._outbox.refusal != self._refusal:
            self._refusal = self._outbox.refusal
            if self._refusal is not None:
                _log().error("the spool takes no events: they wait in memory", reason=self._refusal, waiting=self._waiting)

    @property
    def _waiting(self) -> int:
        """Events that are not delivered, for the log line."""
        return len(self._buffer) + self._outbox.own_events

    def _back_off(self, error: RuntallyError) -> None:
        """Wait before the next try: longer each time, with jitter. The first failure of a row is told, and then each tenth."""
        if self._failures % 10 == 0 and monotonic() >= self._tell_at:
            self._tell_at = monotonic() + _TELL_EVERY_S
            if not isinstance(error, LayoutMismatch):
                _log().warning("events wait: the log cannot be reached", error=str(error), waiting=self._waiting)
        if isinstance(error, LayoutMismatch):
            self._tell_layout(error)
        if isinstance(error, StoreRefused | StoreUnavailable):
            self._counts["failed_rounds"] += 1
        floor, cap = _BACKOFF_S
        pause = min(cap, floor * 2 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, no secret
        if isinstance(error, StoreRefused) and error.code == LOG_FULL:
            pause = _LOG_FULL_S
        self._failures += 1
        until = monotonic() + pause
        while not self.stopping and (left := until - monotonic()) > 0:
            self._nap(min(left, _LOG_FULL_S))
            self._keep_safe()
