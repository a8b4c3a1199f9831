"""The sender: takes events from the publisher's buffer, numbers and packs them, and delivers batches in order.

One batch in flight a partition, and the oldest unconfirmed first: both make a plain watermark exact. After a new
connection everything unconfirmed is sent again (docs/design.md, the connection rule).
"""

from __future__ import annotations

import random
from collections import Counter
from queue import Empty
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from contract import keys
from contract.errors import LayoutMismatch, RuntallyError, StoreRefused, StoreUnavailable
from contract.layout import claim_layout
from contract.link import Command, Link
from producers.outbox import Batch, Outbox

if TYPE_CHECKING:
    from producers.publisher import Publisher

_IDLE_S = 1.0
_BACKOFF_S = (0.05, 5.0)
_FSYNC_WAIT_MS = 2_000

_log = structlog.get_logger("runtally.publisher")


class Sender:
    """Runs in the publisher's thread until `stopping`."""

    def __init__(self, publisher: Publisher) -> None:
        settings = publisher.settings
        self.stopping = False
        self.holding = 0
        """Events taken from the buffer and not yet delivered."""
        self.counts: Counter[str] = Counter()
        self._publisher = publisher
        self._fsync = settings.delivery == "fsynced"
        self._linger_s = settings.linger_ms / 1000
        self._link = Link(settings.redis_url.get_secret_value(), name="runtally-publisher")
        self._outbox = Outbox(settings, publisher.nonce)
        self._epoch = 0
        self._failures = 0

    def run(self) -> None:
        """Until told to stop: wait for events, deliver them. Transport trouble is waited out, with the events kept."""
        self.stopping = False
        while not self.stopping:
            self._wait()
            try:
                while self._collect():
                    self._deliver()
                    self._tell_waiters()
            except RuntallyError as error:
                self._back_off(error)
            self._tell_waiters()
        self._link.close()

    def _wait(self) -> None:
        """Until there is something to send, and then for company: `linger_ms`, unless a batch is full or somebody flushes."""
        publisher = self._publisher
        if not publisher.buffer and not self._outbox:
            publisher.asleep = True
            # Looked at again after the flag is up: an event put in between has not rung.
            if not publisher.buffer and not publisher.waiters:
                self._nap(_IDLE_S)
            publisher.asleep = False
        if publisher.buffer and len(publisher.buffer) < self._publisher.settings.batch_events and not publisher.waiters:
            self._nap(self._linger_s)

    def _nap(self, seconds: float) -> None:
        try:
            self._publisher.wake.get(timeout=seconds)
        except Empty:
            return

    def _collect(self) -> bool:
        """Take events from the buffer as far as the outbox has room. False when there is nothing to send."""
        publisher = self._publisher
        while publisher.buffer and self._outbox.has_room:
            self.holding += 1
            reason = self._outbox.add(publisher.buffer.popleft())
            if reason is not None:
                self.holding -= 1
                publisher.drop(reason)
        self._outbox.close_batches()
        return bool(self._outbox)

    def _deliver(self) -> None:
        """One round trip: the next batch of every partition. Raises StoreUnavailable, StoreRefused."""
        epoch = self._link.open()
        if epoch != self._epoch:
            claim_layout(self._link, self._publisher.settings.partitions)
            self.counts["resent"] += self._outbox.rewind()
            self._epoch = epoch
        batches = self._outbox.next_unsent()
        if batches:
            self._append(batches)
        if self._fsync and (not self._outbox.has_unsent or self._outbox.window_full):
            self._confirm_fsynced()

    def _append(self, batches: list[Batch]) -> None:
        commands: list[Command] = [("XADD", keys.log(batch.partition), "*", "batch", batch.body) for batch in batches]
        bell: list[str | int] = [part for batch in batches for part in (0, batch.partition)]
        *replies, _ = self._link.pipeline([*commands, ("ZADD", keys.BELL, *bell)])
        refused: StoreRefused | None = None
        for batch, reply in zip(batches, replies, strict=True):
            if isinstance(reply, StoreRefused):
                refused = reply
                continue
            self._outbox.mark_sent(batch)
            if not self._fsync:
                self._delivered(self._outbox.confirm(batch.partition))
        self._failures = 0
        if refused is not None:
            raise refused

    def _confirm_fsynced(self) -> None:
        """Everything sent on this connection is on the server's disk, or another try is due. Source: WAITAOF, valkey.io."""
        local, _ = self._link.call("WAITAOF", 1, 0, _FSYNC_WAIT_MS)
        if local:
            for batch in self._outbox.sent():
                self._delivered(self._outbox.confirm(batch.partition))

    def _delivered(self, batch: Batch) -> None:
        self.holding -= batch.events
        self.counts["published"] += batch.events
        self.counts["batches"] += 1

    def _tell_waiters(self) -> None:
        for waiter in list(self._publisher.waiters):
            waiter.put(None)

    def _back_off(self, error: RuntallyError) -> None:
        """Wait before the next try: longer each time, with jitter. The first failure of a row is told, and then each tenth."""
        if self._failures % 10 == 0:
            level = _log.error if isinstance(error, LayoutMismatch) else _log.warning
            level("events wait: the log cannot be reached", error=str(error), waiting=self._publisher.pending)
        if isinstance(error, StoreRefused | StoreUnavailable):
            self.counts["failed_rounds"] += 1
        floor, cap = _BACKOFF_S
        pause = min(cap, floor * 2 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, no secret
        self._failures += 1
        until = monotonic() + pause
        while not self.stopping and (left := until - monotonic()) > 0:
            self._nap(left)
