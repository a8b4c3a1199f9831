"""A lease has one owner, ends by itself, and never claims more time than it has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from contract.link import Link
from worker.store.lease import Lease

KEY = "rt:test:lease"


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


def until(condition: Callable[[], bool], within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
    return True


def test_only_one_of_two_becomes_the_owner(link: Link) -> None:
    first, second = Lease(link, KEY, 30), Lease(link, KEY, 30)
    assert first.take()
    assert not second.take()
    assert second.remaining_s() <= 0
    assert not second.covers(0)


def test_a_released_lease_can_be_taken_by_another(link: Link) -> None:
    first, second = Lease(link, KEY, 30), Lease(link, KEY, 30)
    first.take()
    first.release()
    assert first.remaining_s() <= 0
    assert second.take()


def test_releasing_or_renewing_what_is_anothers_changes_nothing(link: Link) -> None:
    first, second = Lease(link, KEY, 0.05), Lease(link, KEY, 30)
    first.take()
    assert until(second.take)
    first.release()
    assert not first.renew()
    assert second.renew()


def test_an_owner_that_does_not_renew_loses_it(link: Link) -> None:
    dead, heir = Lease(link, KEY, 0.1), Lease(link, KEY, 30)
    dead.take()
    assert until(heir.take)
    assert dead.remaining_s() <= 0, "it must not think that it is the owner when another can be"


def test_remaining_time_never_exceeds_what_redis_grants(link: Link) -> None:
    lease = Lease(link, KEY, 10)
    lease.take()
    for _ in range(50):
        lease.renew()
        remaining_ms = lease.remaining_s() * 1000
        assert remaining_ms <= 10_000
        # Asked after our own figure was taken, so Redis' figure is the smaller by the time of the round trip, not by more.
        assert link.call("PTTL", KEY) > remaining_ms - 1_000


def test_covers_renews_when_the_span_would_outlast_it(link: Link) -> None:
    lease = Lease(link, KEY, 1.0)
    lease.take()
    assert until(lambda: lease.remaining_s() < 0.8)
    assert lease.covers(0.9)
    assert lease.remaining_s() > 0.85


def test_covers_refuses_a_span_longer_than_the_lease(link: Link) -> None:
    lease = Lease(link, KEY, 1.0)
    lease.take()
    assert not lease.covers(2.0)


def test_a_reconnect_voids_the_lease_until_it_is_renewed(link: Link) -> None:
    lease = Lease(link, KEY, 30)
    lease.take()
    link.close()
    link.open()
    assert lease.remaining_s() == 0
    assert lease.renew()
    assert lease.remaining_s() > 29


def test_a_server_that_lost_the_lease_is_believed(link: Link) -> None:
    lease = Lease(link, KEY, 30)
    lease.take()
    link.call("DEL", KEY)
    assert not lease.renew()
    assert not lease.covers(0)
