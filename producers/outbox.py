"""The outbox: events numbered and packed into batches, one queue a partition, kept until they are confirmed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from contract.events import MAX_EVENT_BYTES, encode_event, join_batch
from contract.keys import partition_of

if TYPE_CHECKING:
    from contract.settings import Settings
    from producers.publisher import Buffered

_OPEN_EVENTS = {"appended": 5_000, "fsynced": 50_000}
"""Most events in the outbox, by delivery level: the rest waits in the publisher's buffer, unencoded. A second may pass
between two confirmations of `fsynced`."""

_WINDOW_BATCHES = 64
"""Most batches a partition that are sent and wait for their confirmation."""


@dataclass(slots=True, eq=False)
class Batch:
    """What becomes one log entry. `body`: a CloudEvents JSON batch."""

    partition: int
    events: int
    body: bytes


@dataclass(slots=True)
class _Lane:
    """One partition: events not yet in a batch, and batches in order, of which the first `sent` are sent."""

    encoded: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    sequence: int = 0
    batches: deque[Batch] = field(default_factory=deque)
    sent: int = 0


class Outbox:
    """Not thread-safe: the sender's own."""

    def __init__(self, settings: Settings, nonce: str) -> None:
        self._source = f"/{settings.service}"
        self._numbered_source = f"/{settings.service}/{nonce}"
        self._batch_events = settings.batch_events
        self._batch_bytes = settings.batch_bytes
        self._partitions = settings.partitions
        self._most_events = _OPEN_EVENTS[settings.delivery]
        self._lanes: dict[int, _Lane] = {}
        self._events = 0

    def __bool__(self) -> bool:
        """Whether anything waits to be sent or confirmed."""
        return self._events > 0

    @property
    def has_room(self) -> bool:
        """Whether another event may be added."""
        return self._events < self._most_events

    @property
    def has_unsent(self) -> bool:
        """Whether a batch waits to be sent."""
        return any(lane.sent < len(lane.batches) for lane in self._lanes.values())

    @property
    def window_full(self) -> bool:
        """Whether a partition has as many unconfirmed batches as it may."""
        return any(lane.sent >= _WINDOW_BATCHES for lane in self._lanes.values())

    def add(self, event: Buffered) -> str | None:
        """Number and encode an event. The reason when it cannot be sent (`too_large`, `unencodable`), else None."""
        partition = partition_of(event.subject.run, self._partitions)
        lane = self._lanes.get(partition)
        if lane is None:
            lane = self._lanes[partition] = _Lane()
        at = event.at
        numbered = event.id is None
        sequence = lane.sequence + 1 if numbered else None
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
        except (TypeError, ValueError, RecursionError, OverflowError):
            return "unencodable"
        if len(body) > MAX_EVENT_BYTES:
            return "too_large"
        if lane.encoded and (len(lane.encoded) >= self._batch_events or lane.size_bytes + len(body) > self._batch_bytes):
            self._close(partition, lane)
        if sequence is not None:
            lane.sequence = sequence
        lane.encoded.append(body)
        lane.size_bytes += len(body) + 1
        self._events += 1
        return None

    def close_batches(self) -> None:
        """Make batches of all events added so far, full or not."""
        for partition, lane in self._lanes.items():
            # While a batch waits to be sent, later events go on gathering: fewer, larger entries under load.
            if lane.encoded and lane.sent == len(lane.batches):
                self._close(partition, lane)

    def next_unsent(self) -> list[Batch]:
        """The oldest unsent batch of each partition that may send one."""
        return [lane.batches[lane.sent] for lane in self._lanes.values() if lane.sent < len(lane.batches) and lane.sent < _WINDOW_BATCHES]

    def sent(self) -> list[Batch]:
        """All batches sent and not confirmed, oldest first in each partition."""
        return [batch for lane in self._lanes.values() for batch in list(lane.batches)[: lane.sent]]

    def mark_sent(self, batch: Batch) -> None:
        """The log has answered that it holds this batch."""
        self._lanes[batch.partition].sent += 1

    def confirm(self, partition: int) -> Batch:
        """Forget the oldest batch of a partition: it is delivered."""
        lane = self._lanes[partition]
        batch = lane.batches.popleft()
        lane.sent -= 1
        self._events -= batch.events
        return batch

    def rewind(self) -> int:
        """Send everything unconfirmed again, from the oldest; how many batches that are."""
        again = 0
        for lane in self._lanes.values():
            again += lane.sent
            lane.sent = 0
        return again

    def _close(self, partition: int, lane: _Lane) -> None:
        lane.batches.append(Batch(partition, len(lane.encoded), join_batch(lane.encoded)))
        lane.encoded = []
        lane.size_bytes = 0
