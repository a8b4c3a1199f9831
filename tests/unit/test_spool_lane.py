"""A lane under any order of events: what reaches the log is in order, without a hole, and all of it, also through a crash."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from contract.events import join_batch
from producers.spool import lane as lanes
from producers.spool import queue as queues
from producers.spool.errors import SpoolRefused
from producers.spool.lane import Batch, Lane
from producers.spool.queue import Queue, queues_in
from producers.spool.room import Room

STEPS = st.sampled_from(["put"] * 5 + ["send"] * 3 + ["confirm", "rewind", "store", "spill", "spill", "refuse", "allow", "refill", "tidy"])


class Refusing(Room):
    """Room that can be refused."""

    refusing = False

    def take(self, size: int) -> None:
        if self.refusing:
            raise SpoolRefused("refused", "spool_full")


class Log:
    """What arrived, and the highest sequence of it."""

    def __init__(self) -> None:
        self.mark = 0

    def append(self, body: bytes) -> None:
        for number in map(int, body[1:-1].split(b",")):
            assert number <= self.mark + 1, f"{number} overtakes {self.mark + 1}: a watermark would drop what is between"
            self.mark = max(self.mark, number)


class Emitting:
    """A lane and whatever acts on it."""

    def __init__(self, folder: Path, log: Log) -> None:
        self.room = Refusing(folder, 1 << 30)
        self.lane = Lane(3, "/test", lambda: Queue(folder, 3, self.room))
        self.log = log
        self.number = 0

    def put(self) -> None:
        numbers = range(self.number + 1, self.number + 3)
        self.number += 2
        self.lane.put(Batch(3, 3, 2, join_batch(str(number).encode() for number in numbers), numbers[0], numbers[-1]))

    def send(self) -> None:
        if (batch := self.lane.upcoming) is not None:
            self.log.append(batch.body)
            self.lane.sent += 1

    def confirm(self) -> None:
        while self.lane.sent:
            self.lane.confirm()

    def rewind(self) -> None:
        self.lane.rewind()

    def store(self) -> None:
        with suppress(SpoolRefused):
            self.lane.store()
            assert self.lane.unstored_events == 0

    def spill(self) -> None:
        self.store()
        if self.lane.queue is not None:
            self.lane.trim()

    def refuse(self) -> None:
        self.room.refusing = True

    def allow(self) -> None:
        self.room.refusing = False

    def refill(self) -> None:
        assert self.lane.refill(5, 1_000) == 0

    def tidy(self) -> None:
        if self.lane.queue is not None:
            self.lane.queue.tidy()

    def deliver_all(self) -> None:
        for _ in range(1_000):
            self.refill()
            self.send()
            self.confirm()
        assert self.lane.caught_up
        assert self.lane.held_events == self.lane.unread_events == 0


@given(st.lists(STEPS, max_size=60))
@settings(max_examples=300, deadline=None)
def test_whatever_happens_all_arrives_in_order(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, patch.object(queues, "_SEGMENT_BYTES", 200), patch.object(lanes, "_READ_AHEAD", 1):
        emitting = Emitting(Path(folder), Log())
        for step in steps:
            getattr(emitting, step)()
        emitting.deliver_all()
        assert emitting.log.mark == emitting.number
        if emitting.lane.queue is not None:
            emitting.lane.queue.close()
        assert list(Path(folder).iterdir()) == []


@given(st.lists(STEPS, max_size=60))
@settings(max_examples=300, deadline=None)
def test_after_a_crash_an_adopter_sends_all_that_was_stored(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, patch.object(queues, "_SEGMENT_BYTES", 200), patch.object(lanes, "_READ_AHEAD", 1):
        emitting = Emitting(Path(folder), Log())
        stored = 0
        for step in steps:
            getattr(emitting, step)()
            if emitting.lane.unstored_events == 0:
                stored = emitting.number
        if emitting.lane.queue is not None:
            emitting.lane.queue.forget()
        log = emitting.log
        for queue in queues_in(Path(folder), emitting.room):
            adopter = Emitting(Path(folder), log)
            adopter.lane = Lane(("dead", 3), "", queue=queue)
            adopter.lane.unread_events = 0
            while not queue.done:
                adopter.lane.refill(5, 1_000)
                adopter.send()
                adopter.confirm()
            queue.close()
        assert log.mark >= stored
        assert list(Path(folder).iterdir()) == []
