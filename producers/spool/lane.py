"""The lane: everything of one publisher and partition that is not delivered, in order, in memory and on disk.

Oldest first: `front` in memory (the first `sent` of it are sent), then what is unread in the queue, then `back` in memory. A batch
is stored only when all older ones of its lane are: so what an adopter finds is in order and has no hole behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from contract.events import join_batch
from producers.spool.queue import Queue
from producers.spool.record import Record
from producers.spool.segment import Segment

WINDOW_BATCHES = 64
"""Most batches that are sent and wait for their confirmation."""

_READ_AHEAD = 4

LaneKey = int | tuple[str, int]
"""A publisher's own lanes: the partition. Adopted ones: the dead publisher's folder and the partition."""


@dataclass(slots=True, eq=False)
class Batch:
    """What becomes one log entry. `body`: a CloudEvents JSON batch. `first`, `last`: sequences of its numbered events, 0 if none.
    `places`: where it is stored; none while it is in memory only. `tried`: it may be in the log already. `scattered`: the same events by
    the partitions they belong to, where they were cut for another number of partitions."""

    lane: LaneKey
    partition: int
    events: int
    body: bytes
    first: int = 0
    last: int = 0
    places: list[tuple[Segment, int]] = field(default_factory=list)
    tried: bool = False
    scattered: dict[int, bytes] | None = None

    @property
    def entries(self) -> Mapping[int, bytes]:
        """What is to be appended: partition -> a log entry's body. All of it, or all of it again."""
        return {self.partition: self.body} if self.scattered is None else self.scattered


class Lane:
    """Not thread-safe. `make_queue` is called at the first store; an adopted lane comes with its queue and stores nothing, and with
    `scatter` where it was cut for another number of partitions."""

    def __init__(
        self,
        key: LaneKey,
        source: str,
        make_queue: Callable[[], Queue] | None = None,
        queue: Queue | None = None,
        scatter: Callable[[bytes], dict[int, bytes]] | None = None,
    ) -> None:
        self.key = key
        self.front: deque[Batch] = deque()
        self.sent = 0
        self.queue = queue
        self.held_events = 0
        """Events in memory."""
        self.stored_events = 0
        """Events written to the disk so far."""
        self.unread_events = 0
        """Events in the queue that are not in memory; unknown (negative) in an adopted lane."""
        self._back: deque[Batch] = deque()
        self._damages = 0
        self._source = source
        self._make_queue = make_queue
        self._scatter = scatter

    @property
    def spilled(self) -> bool:
        """Whether part of it is on disk only."""
        return self.queue is not None and self.queue.unread

    @property
    def upcoming(self) -> Batch | None:
        """The oldest unsent batch, if one may be sent."""
        return self.front[self.sent] if self.sent < len(self.front) and self.sent < WINDOW_BATCHES else None

    @property
    def caught_up(self) -> bool:
        """Whether everything is sent."""
        return self.sent == len(self.front) and not self._back and not self.spilled

    def put(self, batch: Batch) -> None:
        """Add a batch, behind all others."""
        (self._back if self._back or self.spilled else self.front).append(batch)
        self.held_events += batch.events

    def store(self) -> None:
        """Write everything that is not on disk, in order. Raises SpoolRefused: then the older part may be stored, and all of it is
        still here."""
        # What is stored is a prefix: looked for from the end, since the front may be long.
        for batch in reversed(list(takewhile(lambda batch: not batch.places, reversed(self.front)))):
            batch.places.append(self._append(batch, kept=True))
            self.stored_events += batch.events
        while self._back:
            batch = self._back[0]
            if self.spilled:
                self._append(batch, kept=False)
                self._leaves(batch)
            else:
                batch.places.append(self._append(batch, kept=True))
                self.front.append(batch)
            self._back.popleft()
            self.stored_events += batch.events

    @property
    def unstored_events(self) -> int:
        """Events in memory only."""
        return sum(batch.events for batch in (*self.front, *self._back) if not batch.places)

    def trim(self) -> None:
        """Let go of the memory of stored batches, but for those that are sent or soon will be."""
        assert self.queue is not None
        while len(self.front) > self.sent + _READ_AHEAD and self.front[-1].places:
            batch = self.front.pop()
            self.queue.unkeep(batch.places)
            self._leaves(batch)

    def refill(self, most_events: int, most_bytes: int) -> int:
        """Read on from the disk, as far as batches may soon be sent; how many events were found lost (damage on the disk).

        Small records become one batch, up to `most_events` and `most_bytes`: the same events in the same order.
        """
        while self.queue is not None and self.spilled and self._wants_more:
            batch = self._read(self.queue, most_events, most_bytes)
            if batch is not None:
                self.front.append(batch)
                self.held_events += batch.events
                self.unread_events -= batch.events
        if self.spilled:
            return 0
        lost, self.unread_events = max(0, self.unread_events), 0
        while self._back:
            self.front.append(self._back.popleft())
        return lost

    def confirm(self) -> Batch:
        """Forget the oldest batch: it is delivered."""
        batch = self.front.popleft()
        self.sent -= 1
        self.held_events -= batch.events
        for segment, _ in batch.places:
            assert self.queue is not None
            self.queue.delivered(segment)
        return batch

    def rewind(self) -> None:
        """Send everything unconfirmed in memory again. What is on disk only was never sent."""
        self.sent = 0

    def new_damages(self) -> int:
        """Damaged places found on the disk since the last call."""
        found = 0 if self.queue is None else self.queue.damages
        new, self._damages = found - self._damages, found
        return new

    @property
    def _wants_more(self) -> bool:
        return len(self.front) < WINDOW_BATCHES and len(self.front) - self.sent < _READ_AHEAD

    def _append(self, batch: Batch, *, kept: bool) -> tuple[Segment, int]:
        if self.queue is None:
            assert self._make_queue is not None
            self.queue = self._make_queue()
        record = Record(self._source, batch.partition, batch.events, batch.first, batch.last, batch.body)
        return self.queue.append(record, kept=kept)

    def _leaves(self, batch: Batch) -> None:
        self.held_events -= batch.events
        self.unread_events += batch.events

    def _read(self, queue: Queue, most_events: int, most_bytes: int) -> Batch | None:
        records: list[Record] = []
        places: list[tuple[Segment, int]] = []
        events = size = 0
        while (found := queue.next()) is not None:
            record, segment, offset = found
            events += record.events
            size += len(record.body)
            if records and (events > most_events or size > most_bytes):
                queue.unkeep([(segment, offset)])
                break
            records.append(record)
            places.append((segment, offset))
        if not records:
            return None
        body = records[0].body if len(records) == 1 else join_batch(record.body[1:-1] for record in records)
        return Batch(
            self.key,
            queue.partition,
            sum(record.events for record in records),
            body,
            next((record.first for record in records if record.first), 0),
            max(record.last for record in records),
            places,
            scattered=None if self._scatter is None else self._scatter(body),
        )
