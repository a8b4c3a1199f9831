"""Never more than five requests a second to a base, whatever the jitter and however many processes send."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest

from contract import keys
from contract.link import Link
from worker.flush.limiter import PLACES, Limiter

BASE = "appTest"


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


def take(limiter: Limiter) -> str | None:
    """A ticket that was let through, or None."""
    ticket = limiter.ticket()
    return ticket if limiter.take(ticket) == 0 else None


def test_five_go_at_once_and_the_sixth_waits(link: Link) -> None:
    limiter = Limiter(link, BASE, unseen_s=60)
    assert all(take(limiter) for _ in range(PLACES))
    assert 60 < limiter.take(limiter.ticket()) <= 61.1, "nobody saw an answer, so no place is free before unseen_s and a second"


def test_a_place_is_free_a_second_after_its_answer_not_after_its_sending(link: Link) -> None:
    limiter = Limiter(link, BASE, unseen_s=60)
    tickets = [take(limiter) for _ in range(PLACES)]
    assert tickets[0]
    limiter.done(tickets[0])
    assert 0.9 < limiter.take(limiter.ticket()) <= 1.012


def test_a_place_whose_user_died_comes_back(link: Link) -> None:
    limiter = Limiter(link, BASE, unseen_s=0)
    assert all(take(limiter) for _ in range(PLACES))
    deadline = time.monotonic() + 3
    while not take(limiter):
        assert time.monotonic() < deadline


def test_asking_again_with_the_same_ticket_takes_one_place_and_counts_one_call(link: Link) -> None:
    limiter = Limiter(link, BASE, unseen_s=60)
    ticket = limiter.ticket()
    assert [limiter.take(ticket) for _ in range(3)] == [0, 0, 0]
    assert link.call("HGET", keys.flush_counters(BASE), "calls") == b"1"
    assert sum(take(limiter) is not None for _ in range(PLACES)) == PLACES - 1


def test_a_429_closes_the_base_for_everybody_and_a_shorter_one_does_not_open_it(link: Link, redis_url: str) -> None:
    other_link = Link(redis_url, name="test-2")
    other_link.open()
    Limiter(link, BASE, unseen_s=60).close(30)
    Limiter(link, BASE, unseen_s=60).close(1)
    other = Limiter(other_link, BASE, unseen_s=60)
    assert 29 < other.take(other.ticket()) <= 30.1
    other_link.close()


def test_another_base_has_places_of_its_own(link: Link) -> None:
    one, two = Limiter(link, BASE, unseen_s=60), Limiter(link, "appOther", unseen_s=60)
    assert all(take(one) for _ in range(PLACES))
    assert take(two)


def test_a_clock_set_back_by_an_hour_does_not_hold_the_places_for_an_hour(link: Link) -> None:
    limiter = Limiter(link, BASE, unseen_s=1)
    ahead_ms = int(time.time() * 1000) + 3_600_000
    for n in range(PLACES):
        link.call("ZADD", keys.limiter(BASE), ahead_ms, f"before-failover-{n}")
    assert limiter.take(limiter.ticket()) <= 2.1


@pytest.mark.parametrize("senders", [1, 4])
def test_no_second_sees_more_than_five_arrivals(redis_url: str, senders: int) -> None:
    """Senders with random delays on the way there and back; the arrivals are what Airtable would count."""
    arrivals: list[float] = []
    ends_s = time.monotonic() + 4

    def send(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 (delays, not secrets)
        link = Link(redis_url, name=f"sender-{seed}")
        link.open()
        limiter = Limiter(link, BASE, unseen_s=60)
        while time.monotonic() < ends_s:
            ticket = limiter.ticket()
            wait_s = limiter.take(ticket)
            if wait_s:
                paused.wait(wait_s)
                continue
            paused.wait(chance.choice((0, 0.01, 0.2)))
            arrivals.append(time.monotonic())
            paused.wait(chance.choice((0, 0.01, 0.2)))
            limiter.done(ticket)
        link.close()

    paused = threading.Event()  # never set: `wait` is the wire's delay
    threads = [threading.Thread(target=send, args=(seed,)) for seed in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    arrivals.sort()
    spans = [later - earlier for earlier, later in zip(arrivals, arrivals[PLACES:], strict=False)]
    assert min(spans) > 1.0, "six arrivals within a second"
    assert len(arrivals) >= (12 if senders == 4 else 8)
