"""The listener at the doorbell: what waits is asked for, whatever became of rings, messages and connections."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from contract import keys
from contract.link import Link
from contract.settings import Settings
from tests.building import REGISTRY, RUN, wire
from worker import bell
from worker.consume import Consumer
from worker.stopping import stopping

PARTITION = keys.partition_of(RUN, 8)


def eventually(holds: Callable[[], Any], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Ears:
    """A listener whose messages are kept, and answered by nobody."""

    def __init__(self, settings: Settings) -> None:
        self.sent: list[int] = []
        self.consumed: list[int] = []
        self.consumer = Consumer(settings, REGISTRY, PARTITION)
        self.listener = bell.BellListener(settings, self.sent.append, self._consume)

    def _consume(self, partition: int) -> None:
        self.consumed.append(partition)
        self.consumer.turn()


@pytest.fixture
def ears(settings: Settings) -> Iterator[Ears]:
    stopping.clear()
    ears = Ears(settings)
    ears.listener.start()
    yield ears
    stopping.set()
    ears.listener._thread.join(10)
    stopping.clear()


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


def append(link: Link) -> None:
    link.call("XADD", keys.log(PARTITION), "*", "batch", b"[" + wire("job.started", None, id="1") + b"]")


def test_a_ring_and_an_entry_that_nobody_rang_for_are_sent_for(ears: Ears, link: Link) -> None:
    bell.ring(link, 3)
    eventually(lambda: 3 in ears.sent)
    append(link)
    eventually(lambda: PARTITION in ears.sent)
    assert ears.consumed == []


def test_a_new_connection_asks_at_once_for_all_that_waits_also_where_a_lease_was_left(ears: Ears, link: Link) -> None:
    eventually(lambda: ears.listener._epoch == 1)
    link.call("SET", keys.consume_lease(PARTITION), "a turn that has ended")
    append(link)
    bell.ring(link, PARTITION)
    eventually(lambda: link.call("ZCARD", keys.BELL) == 0)
    assert ears.sent == [], "somebody seems to be at work"
    link.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    eventually(lambda: ears.sent == [PARTITION])


def test_what_stands_still_although_it_was_sent_for_is_consumed_here(ears: Ears, link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "PATIENCE_S", 0.5)
    append(link)
    eventually(lambda: ears.consumed)
    assert ears.sent
    eventually(lambda: link.call("HGET", keys.state(PARTITION), "events") == b"1")


def test_a_connection_that_is_lost_again_and_again_does_not_begin_the_wait_anew(
    ears: Ears, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "PATIENCE_S", 1.5)
    append(link)
    cut = 0

    def consumed_although_cut() -> bool:
        nonlocal cut
        if ears.listener._epoch != cut:
            cut = ears.listener._epoch
            link.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        return bool(ears.consumed)

    eventually(consumed_although_cut)
    assert cut > 1
