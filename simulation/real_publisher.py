"""The real sender and outbox in the place of the publisher's model, without their thread and without a disk."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import producers.publish.sender
from contract.settings import Settings
from producers.publish.buffer import Buffer
from producers.publish.event import Buffered, Subject
from producers.publish.outbox import Outbox
from producers.publish.sender import Sender
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


class _Buffer(Buffer):
    """Nothing may be dropped."""

    def drop(self, reason: str, number: int = 1, event: str | None = None) -> None:
        raise AssertionError(f"{number} events dropped: {reason} {event}")


class RealPublisher:
    """One source. `emit` and `deliver` are called in turn by its actor, as those of PublisherModel."""

    def __init__(self, world: World, name: str) -> None:
        self.source = f"/sim/{name}"
        self._world = world
        settings = _settings(world.mix.level, world.mix.partitions)
        self._buffer = _Buffer(settings.buffer_events)
        self._outbox = _Outbox(settings, name)
        self._outbox.world, self._outbox.source = world, self.source
        self._sender = Sender(settings, self._buffer, self._outbox)

    @property
    def drained(self) -> bool:
        """Whether all its events are confirmed."""
        return not self._buffer and not self._outbox

    def emit(self, partition: int, row_id: str) -> bool:
        """Put an event in the buffer; False when its client has had as many as can be told apart."""
        event = self._world.ledger.emitted(self.source, partition, row_id)
        if event is None:
            return False
        run = row_id.rpartition("-")[0]
        data: dict[str, Any] = {"metrics": {"leads_processed": 4**event.digit}}
        fields = {"type": "client.metrics.updated", "subject": Subject(row_id, run), "data": data, "id": None}
        self._buffer.events.append(Buffered(**fields, at=int(self._world.now_s * 1e9)))  # type: ignore[arg-type]
        return True

    def deliver(self) -> None:
        """One round trip. Raises StoreUnavailable, StoreRefused."""
        self._sender._turn()


QUIET = (producers.publish.sender, "_SPILL_AFTER_S", dict.fromkeys(("appended", "fsynced", "replicated"), 1e12))
"""Nothing is spooled: there is no disk here."""

LONELY = (producers.publish.sender, "_ADOPT_EVERY_S", 1e12)
"""No spool is adopted."""
