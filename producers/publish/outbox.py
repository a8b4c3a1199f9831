"""The outbox: events numbered and packed into batches, a lane a partition, kept in memory or in the spool until confirmed.

Shared by the sender, the spooler and the end of the process: whoever calls holds `lock`, for no longer than the disk takes.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from contract.events import MAX_EVENT_BYTES, encode_event, join_batch
from contract.keys import partition_of
from producers.spool.errors import SpoolRefused
from producers.spool.home import Home
from producers.spool.lane import Batch, Lane, LaneKey

if TYPE_CHECKING:
    from contract.settings import Settings
    from producers.publish.buffer import Buffer
    from producers.publish.event import Buffered

_OPEN_EVENTS = {"appended": 5_000, "fsynced": 50_000, "replicated": 50_000}
"""Most events in the outbox's memory, by delivery level: the rest waits in the buffer, unencoded, or in the spool.
A second may pass between two confirmations of `fsynced`."""


@dataclass(slots=True)
class _Gathered:
    """Encoded events of one partition that are in no batch yet, and the sequence of the last numbered one."""

    encoded: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    sequence: int = 0
    first: int = 0


class Outbox:
    """One life of a publisher: a nonce, its sequences, and what is not delivered of them; and the lanes it has adopted."""

    def __init__(self, settings: Settings, nonce: str) -> None:
        """Opens and writes nothing."""
        self.lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.refusal: str | None = None
        """Why the spool took nothing the last time, None when it did."""
        self.refused: list[Buffered] = []
        """Durable events that cannot be sent, until those who wait for them have been told."""
        self.own_events = 0
        """Events of this publisher that are not delivered, wherever they are."""
        self._source = f"/{settings.service}"
        self._numbered_source = f"/{settings.service}/{nonce}"
        self._batch_events = settings.batch_events
        self._batch_bytes = settings.batch_bytes
        self._partitions = settings.partitions
        self._most_events = _OPEN_EVENTS[settings.delivery]
        self._home = Home(settings, nonce)
        self._gathered: dict[int, _Gathered] = {}
        self._own: dict[int, Lane] = {}
        self._adopted: dict[LaneKey, Lane] = {}

    def __bool__(self) -> bool:
        """Whether anything waits to be sent or confirmed."""
        return self.own_events > 0 or bool(self._adopted)

    @property
    def has_room(self) -> bool:
        """Whether more events may be added to its memory."""
        return self.room_events > 0

    @property
    def room_events(self) -> int:
        """How many more events its memory may hold."""
        gathered = sum(len(part.encoded) for part in self._gathered.values())
        return self._most_events - gathered - sum(lane.held_events for lane in self._own.values())

    @property
    def window_full(self) -> bool:
        """Whether a lane has as many unconfirmed batches as it may, with more to come."""
        return any(lane.upcoming is None and not lane.caught_up for lane in self._lanes)

    @property
    def spilled(self) -> bool:
        """Whether events of this publisher are on disk only."""
        return any(lane.spilled for lane in self._own.values())

    def collect(self, buffer: Buffer, most: int) -> None:
        """Take up to `most` events from the buffer. Those that cannot be sent are counted there."""
        for _ in range(min(most, len(buffer))):
            event = buffer.events.popleft()
            reason = self.add(event)
            if reason is not None:
                buffer.drop(reason, event=f"{event.type} {event.subject.row_id}")
                if event.durable:
                    self.refused.append(event)

    def add(self, event: Buffered) -> str | None:
        """Number and encode an event. The reason when it cannot be sent (`too_large`, `unencodable`), else None."""
        partition = partition_of(event.subject.run, self._partitions)
        part = self._gathered.get(partition)
        if part is None:
            part = self._gathered[partition] = _Gathered()
        at = event.at
        numbered = event.id is None
        sequence = part.sequence + 1 if numbered else None
        try:
            body = encode_event(
                id=f"{partition}-{sequence}" if event.id is None else event.id,
                source=self._numbered_source if numbered else self._source,
                type=event.type,
                subject=event.subject.row_id,
                time=at if isinstance(at, datetime) else datetime.fromtimestamp(at / 1e9, UTC),
                sequence=sequence,
                data=event.data,
            )
        except Exception:  # noqa: BLE001  # a value's own __str__ may raise anything, and it is this event's fault alone
            return "unencodable"
        if len(body) > MAX_EVENT_BYTES:
            return "too_large"
        if part.encoded and (len(part.encoded) >= self._batch_events or part.size_bytes + len(body) > self._batch_bytes):
            self._close(partition, part)
        if sequence is not None:
            part.sequence = sequence
            part.first = part.first or sequence
        part.encoded.append(body)
        part.size_bytes += len(body) + 1
        self.own_events += 1
        return None

    def close_batches(self, *, all: bool = False) -> None:
        """Make batches of the events added so far, full or not. While a batch of its lane waits to be sent, later events go on
        gathering (fewer, larger entries under load), unless `all` are wanted."""
        for partition, part in self._gathered.items():
            if part.encoded and (all or self._lane(partition).caught_up):
                self._close(partition, part)

    def refill(self) -> int:
        """Read on from the spool; remove adopted folders that are delivered. How many events were found lost."""
        lost = sum(lane.refill(self._batch_events, self._batch_bytes) for lane in self._own.values())
        self.own_events -= lost
        for lane in self._adopted.values():
            lane.refill(self._batch_events, self._batch_bytes)
            self.counts["damaged_records"] += lane.new_damages()
        if self._adopted:
            self._adopted = self._home.keep_adopted(self._adopted)
        return lost

    def next_unsent(self) -> list[Batch]:
        """The oldest unsent batch of each lane that may send one."""
        return [batch for lane in self._lanes if (batch := lane.upcoming) is not None]

    def sent(self) -> list[Batch]:
        """All batches sent and not confirmed, oldest first in each lane."""
        return [batch for lane in self._lanes for batch in list(lane.front)[: lane.sent]]

    def mark_sent(self, batch: Batch) -> None:
        """The log has answered that it holds this batch."""
        self._lane_of(batch.lane).sent += 1

    def confirm(self, key: LaneKey) -> Batch:
        """Forget the oldest batch of a lane (of this publisher's own: the partition): it is delivered."""
        batch = self._lane_of(key).confirm()
        if key in self._adopted:
            self.counts["adopted"] += batch.events
        else:
            self.own_events -= batch.events
            self.counts["published"] += batch.events
        self.counts["batches"] += 1
        return batch

    def rewind(self) -> None:
        """Send everything unconfirmed again, from the oldest."""
        for lane in self._lanes:
            lane.rewind()

    def store(self, *, sync: bool) -> None:
        """Write everything of this publisher that is in memory only to the spool. With `sync` it survives a power loss as well.

        Raises SpoolRefused: then the older part may be stored, and all is still held in memory or on disk."""
        self.close_batches(all=True)
        try:
            for lane in self._own.values():
                before = lane.stored_events
                try:
                    lane.store()
                finally:
                    self.counts["spooled"] += lane.stored_events - before
                if sync and lane.queue is not None:
                    lane.queue.sync()
        except SpoolRefused as error:
            self.refusal = error.reason
            raise
        self.refusal = None

    def spill(self) -> None:
        """Store everything, and keep only what is sent next in memory. Raises SpoolRefused, as `store` does."""
        try:
            self.store(sync=False)
        finally:
            for lane in self._own.values():
                if lane.queue is not None:
                    lane.trim()

    @property
    def unstored_events(self) -> int:
        """Events of this publisher that are in memory only."""
        gathered = sum(len(part.encoded) for part in self._gathered.values())
        return gathered + sum(lane.unstored_events for lane in self._own.values())

    def adopt(self, limit: int, *, any_target: bool = False) -> int:
        """Take over folders of dead publishers, so that `limit` at most are in hand; how many lanes were taken over.

        Only those meant for the same Redis, unless `any_target`."""
        found = self._home.adopt(limit, any_target=any_target)
        for lane in found:
            self._adopted[lane.key] = lane
        return len(found)

    def tidy(self) -> None:
        """Give back the disk space of what is delivered."""
        for lane in self._own.values():
            if lane.queue is not None:
                lane.queue.tidy()

    def close(self) -> None:
        """The end of this life: let go of all folders. What is in them is for others to adopt."""
        for lane in self._lanes:
            if lane.queue is not None:
                lane.queue.close()
        self._home.close()

    def forget(self) -> None:
        """For a forked child: let go of the parent's files and locks without touching them."""
        for lane in self._lanes:
            if lane.queue is not None:
                lane.queue.forget()
        self._home.forget()

    @property
    def _lanes(self) -> list[Lane]:
        return list(chain(self._own.values(), self._adopted.values()))

    def _lane_of(self, key: LaneKey) -> Lane:
        return self._own[key] if isinstance(key, int) else self._adopted[key]

    def _lane(self, partition: int) -> Lane:
        lane = self._own.get(partition)
        if lane is None:
            lane = self._own[partition] = Lane(partition, self._numbered_source, lambda: self._home.queue(partition))
        return lane

    def _close(self, partition: int, part: _Gathered) -> None:
        last = part.sequence if part.first else 0
        self._lane(partition).put(Batch(partition, partition, len(part.encoded), join_batch(part.encoded), part.first, last))
        part.encoded = []
        part.size_bytes = part.first = 0
