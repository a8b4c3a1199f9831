"""The real sender and outbox in the place of the publisher's model, without their thread and without a disk."""

from __future__ import annotations

from collections import deque
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, cast

import producers.sender
from contract.settings import Settings
from producers.outbox import Outbox
from producers.publisher import Buffered, Publisher, Subject
from producers.sender import Sender
from simulation.publisher import BATCH_EVENTS
from simulation.world import World

if TYPE_CHECKING:
    from producers.spool.lane import Batch, LaneKey


@cache
def _settings(level: str, partitions: int) -> Settings:
    values = {
        "partitions": partitions,
        "delivery": level,
        "service": "sim",
        "batch_events": BATCH_EVENTS,
        "spool_dir": Path("/nonexistent"),
    }
    return Settings(_env_file=None, **values)  # type: ignore[arg-type, call-arg]  # checked by pydantic


class _Outbox(Outbox):
    """Tells the ledger what is delivered."""

    world: World
    source: str

    def confirm(self, key: LaneKey) -> Batch:
        batch = super().confirm(key)
        self.world.ledger.confirmed(self.source, batch.partition, batch.first, batch.last)
        return batch


class _Stub:
    """As much of a Publisher as its sender asks for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.buffer: deque[Buffered] = deque()
        self.waiters: deque[SimpleQueue[None]] = deque()
        self.pending = 0

    collect = Publisher.collect

    def drop(self, reason: str, number: int = 1) -> None:
        raise AssertionError(f"{number} events dropped: {reason}")


class RealPublisher:
    """One source. `emit` and `deliver` are called in turn by its actor, as those of PublisherModel."""

    def __init__(self, world: World, name: str) -> None:
        self.source = f"/sim/{name}"
        self._world = world
        settings = _settings(world.mix.level, world.mix.partitions)
        self._stub = _Stub(settings)
        self._outbox = _Outbox(settings, name)
        self._outbox.world, self._outbox.source = world, self.source
        self._sender = Sender(cast(Publisher, self._stub), self._outbox)

    @property
    def drained(self) -> bool:
        """Whether all its events are confirmed."""
        return not self._stub.buffer and not self._outbox

    def emit(self, partition: int, row_id: str) -> bool:
        """Put an event in the buffer; False when its client has had as many as can be told apart."""
        event = self._world.ledger.emitted(self.source, partition, row_id)
        if event is None:
            return False
        run = row_id.rpartition("-")[0]
        data: dict[str, Any] = {"metrics": {"leads_processed": 4**event.digit}}
        fields = {"type": "client.metrics.updated", "subject": Subject(row_id, run), "data": data, "id": None}
        self._stub.buffer.append(Buffered(**fields, at=int(self._world.now_s * 1e9)))  # type: ignore[arg-type]
        return True

    def deliver(self) -> None:
        """One round trip. Raises StoreUnavailable, StoreRefused."""
        self._sender._turn()


QUIET = (producers.sender, "_SPILL_AFTER_S", dict.fromkeys(("appended", "fsynced", "replicated"), 1e12))
"""Nothing is spooled: there is no disk here."""

LONELY = (producers.sender, "_ADOPT_EVERY_S", 1e12)
"""No spool is adopted."""
