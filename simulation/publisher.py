"""A model of the publisher: numbers its events, one batch in flight a partition, and after a new connection sends again from the
oldest unconfirmed one (docs/design.md, Publish).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from contract import keys
from contract.errors import StoreRefused, StoreUnavailable
from contract.events import encode_event, join_batch
from contract.link import Command
from simulation.ledger import Emitted
from simulation.link import SimulatedLink
from simulation.world import World

BATCH_EVENTS = 3
_WINDOW = 4


@dataclass(slots=True, eq=False)
class Batch:
    """What becomes one log entry, and the events in it."""

    events: list[Emitted]
    body: bytes


@dataclass(slots=True)
class Lane:
    """One partition: events not yet in a batch, and batches in order, of which the first `sent` are sent."""

    encoded: list[tuple[Emitted, bytes]] = field(default_factory=list)
    sequence: int = 0
    batches: deque[Batch] = field(default_factory=deque)
    sent: int = 0


class PublisherModel:
    """One source. `emit` and `deliver` are called in turn by its actor."""

    def __init__(self, world: World, source: str) -> None:
        self.source = source
        self._world = world
        self._level = world.mix.level
        self._link = SimulatedLink(name="runtally-publisher")
        self._epoch = 0
        self.lanes: dict[int, Lane] = {}

    @property
    def drained(self) -> bool:
        """Whether all its events are confirmed."""
        return not any(lane.batches or lane.encoded for lane in self.lanes.values())

    def emit(self, partition: int, row_id: str) -> bool:
        """Number and encode an event; False when its client has had as many as can be told apart."""
        event = self._world.ledger.emitted(self.source, partition, row_id)
        if event is None:
            return False
        lane = self.lanes.setdefault(partition, Lane())
        lane.sequence += 1
        body = encode_event(
            id=f"{partition}-{lane.sequence}",
            source=self.source,
            type="client.metrics.updated",
            subject=row_id,
            time=datetime.fromtimestamp(self._world.now_s, UTC),
            sequence=lane.sequence,
            data={"metrics": {"leads_processed": 4**event.digit}},
        )
        lane.encoded.append((event, body))
        return True

    def deliver(self) -> None:
        """One round trip: the next batch of every partition. Raises StoreUnavailable, StoreRefused."""
        epoch = self._link.open()
        if epoch != self._epoch:
            self.rewind()
            self._epoch = epoch
        self._close_batches()
        ready = [(partition, lane) for partition, lane in self.lanes.items() if lane.sent < min(len(lane.batches), _WINDOW)]
        if ready:
            self._append(ready)
        if self._level != "appended" and any(lane.sent for lane in self.lanes.values()):
            self._confirm_sent()

    def _close_batches(self) -> None:
        for lane in self.lanes.values():
            while lane.encoded:
                taken, lane.encoded = lane.encoded[:BATCH_EVENTS], lane.encoded[BATCH_EVENTS:]
                lane.batches.append(Batch([event for event, _ in taken], join_batch(body for _, body in taken)))

    def _append(self, ready: list[tuple[int, Lane]]) -> None:
        commands: list[Command] = [("XADD", keys.log(partition), "*", "batch", lane.batches[lane.sent].body) for partition, lane in ready]
        replies = self._link.pipeline([*commands, ("ZADD", keys.BELL, 0, ready[0][0])])
        refused: StoreRefused | None = None
        for (_, lane), reply in zip(ready, replies, strict=False):
            if isinstance(reply, StoreRefused):
                refused = reply
                continue
            lane.sent += 1
            if self._level == "appended":
                self._confirm(lane)
        if refused is not None:
            raise refused

    def _confirm_sent(self) -> None:
        """What was sent on this connection is on the server's disk, or on its replica; else it is asked again."""
        if self._level == "fsynced":
            done, _ = self._link.call("WAITAOF", 1, 0, 2_000)
        else:
            done = self._link.call("WAIT", 1, 2_000)
        if done:
            for lane in self.lanes.values():
                while lane.sent:
                    self._confirm(lane)

    def _confirm(self, lane: Lane) -> None:
        lane.sent -= 1
        batch = lane.batches.popleft()
        for event in batch.events:
            event.confirmed = True
        self._world.note(f"confirmed: {len(batch.events)} events")

    def rewind(self) -> None:
        """Send everything unconfirmed again, from the oldest."""
        for lane in self.lanes.values():
            if lane.sent:
                self._world.note(f"sends again from the oldest unconfirmed of {lane.sent}")
            lane.sent = 0


class Publishing(Protocol):
    """What an actor does with a publisher, model or real."""

    @property
    def drained(self) -> bool: ...

    def emit(self, partition: int, row_id: str) -> bool: ...

    def deliver(self) -> None: ...


def publish(world: World, publisher: Publishing, rows: list[tuple[int, str]], events: int) -> None:
    """A publisher's life: emit now and then, deliver, wait out what is in the way."""
    left = events
    while True:
        for _ in range(world.rng.randint(0, 4)):
            if left > 0:
                left -= 1
                publisher.emit(*world.rng.choice(rows))
        try:
            if not publisher.drained:
                publisher.deliver()
        except (StoreUnavailable, StoreRefused) as error:
            world.note(f"put off: {error}")
            world.pause(world.rng.random() * 0.5)
        else:
            if publisher.drained:
                world.rest(world.mix.tempo_s)
