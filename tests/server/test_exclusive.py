"""Locks against duplicate jobs: one holder, on all machines, for as long as it lives; and what the others are told."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from contract import keys
from contract.errors import AlreadyRunning, LockInvalid, LockLost, RunIdInvalid, StoreUnavailable
from contract.link import Link
from contract.settings import Settings
from embedded import EmbeddedValkey
from producers.exclusive import Exclusive, Scope, held, release
from producers.exclusive.grant import Grant
from producers.exclusive.scope import scope_of
from producers.publisher import Publisher
from tests.conftest import SettingsMaker

SCORING = Scope("post_scoring", 1)
SHORT_S = 1.5


def until(condition: Callable[[], bool], within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
    return True


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


@pytest.fixture
def short(make_settings: SettingsMaker, redis_url: str) -> Settings:
    return make_settings(redis_url=redis_url, lock_ttl_s=SHORT_S)


def test_a_second_start_is_refused_with_the_holders_run_and_age(settings: Settings, link: Link) -> None:
    with Exclusive(settings, SCORING, run_id="250930-141522") as first:
        link.call("HINCRBY", SCORING.key, "since_ms", -90_000)
        with pytest.raises(AlreadyRunning, match=r"post_scoring, stream 1 is already running: run 250930-141522, for 9. s") as refused:
            Exclusive(settings, SCORING, run_id="250930-141530").__enter__()
        assert refused.value.run_id == "250930-141522"
        assert 90 <= refused.value.age_s < 100
        assert refused.value.pid == os.getpid()
        assert 1790 < refused.value.remaining_s <= 1800
        assert first.still_mine()
    with Exclusive(settings, SCORING) as second:
        assert (second.fence or 0) > (first.fence or 0)
    assert not second.still_mine()
    assert held(link) == []


def test_streams_clients_and_operations_do_not_block_each_other(settings: Settings, link: Link) -> None:
    scopes = [SCORING, Scope("post_scoring", 2), Scope("post_scoring", None, "Jane-Doe"), Scope("post_scoring"), Scope("harvest", 1)]
    scopes += [
        Scope("post_scoring:stream:1"),
        Scope("post_scoring", None, "1"),
        Scope("held"),
        Scope("fence"),
        Scope("{*}: ü", None, "{*}: ü"),
    ]
    locks = [Exclusive(settings, scope).__enter__() for scope in scopes]
    assert [holder.scope for holder in held(link)] == scopes
    assert len({lock.fence for lock in locks}) == len(scopes)
    for lock in locks:
        lock.__exit__(None, None, None)
    assert held(link) == []


def test_the_lock_is_given_back_when_the_work_raises(settings: Settings, link: Link) -> None:
    with pytest.raises(KeyError), Exclusive(settings, SCORING):
        raise KeyError("boom")
    assert link.call("EXISTS", SCORING.key) == 0


def test_renewals_keep_it_beyond_its_term(short: Settings) -> None:
    with Exclusive(short, SCORING) as lock:
        deadline = time.monotonic() + 2 * SHORT_S
        while time.monotonic() < deadline:
            assert lock.still_mine()
            with pytest.raises(AlreadyRunning):
                Exclusive(short, SCORING).__enter__()
    assert not lock.lost.is_set()


def test_it_is_never_thought_ours_for_longer_than_redis_grants(settings: Settings, link: Link) -> None:
    grant = Grant(settings.redis_url.get_secret_value(), SCORING, 100.0, None)
    assert grant.remaining_s <= 0
    grant.take()
    for _ in range(50):
        assert grant.renew()
        ours_ms = grant.remaining_s * 1000
        assert 95_000 < ours_ms < link.call("PTTL", SCORING.key)
    assert grant.release()
    assert grant.remaining_s <= 0
    grant.close()


def test_only_the_owner_releases_it(short: Settings, link: Link) -> None:
    """The first is ended by a person and overtaken: what it does at its end must not end the second's."""
    first = Exclusive(short, SCORING).__enter__()
    (holder,) = held(link)
    assert release(link, holder)
    second = Exclusive(short, SCORING).__enter__()
    assert not release(link, holder), "the holding that was seen is over; the present one is another's"
    assert first.lost.wait(10), "the renewal that is refused tells"
    first.__exit__(None, None, None)
    assert second.still_mine()
    assert [one.fence for one in held(link)] == [second.fence]
    second.__exit__(None, None, None)


def test_a_lost_lock_raises_at_the_end_if_that_was_asked_for(short: Settings, link: Link) -> None:
    lock = Exclusive(short, SCORING, raise_if_lost=True).__enter__()
    link.call("DEL", SCORING.key)
    assert lock.lost.wait(10)
    assert not lock.still_mine()
    with pytest.raises(LockLost, match="post_scoring"):
        lock.__exit__(None, None, None)
    lock.__enter__()
    link.call("DEL", SCORING.key)
    lock.__exit__(KeyError, KeyError("the work's own error matters more"), None)
    assert lock.lost.is_set()


def test_a_loss_that_no_renewal_noticed_is_noticed_at_the_release(settings: Settings, link: Link) -> None:
    with pytest.raises(LockLost), Exclusive(settings, SCORING, raise_if_lost=True) as lock:
        link.call("DEL", SCORING.key)
    assert lock.lost.is_set()


def test_without_redis_nothing_starts_unless_the_caller_chose_so(make_settings: SettingsMaker) -> None:
    away = make_settings(redis_url="redis://127.0.0.1:1/0")
    with pytest.raises(StoreUnavailable, match="post_scoring, stream 1 is not started"):
        Exclusive(away, SCORING).__enter__()
    with Exclusive(away, SCORING, if_unavailable="proceed", raise_if_lost=True) as lock:
        assert lock.fence is None
        assert not lock.still_mine()
    assert not lock.lost.is_set()


def test_a_redis_that_goes_away_while_work_is_done_is_told_when_the_term_ends(
    durable_valkey: EmbeddedValkey, make_settings: SettingsMaker
) -> None:
    settings = make_settings(redis_url=durable_valkey.url, lock_ttl_s=SHORT_S)
    with Exclusive(settings, SCORING) as lock:
        durable_valkey.kill()
        assert lock.lost.wait(10)
        assert not lock.still_mine()


def test_a_restart_of_redis_does_not_cost_the_lock(durable_valkey: EmbeddedValkey, make_settings: SettingsMaker) -> None:
    settings = make_settings(redis_url=durable_valkey.url, lock_ttl_s=9)
    link = Link(durable_valkey.url, name="test")
    with Exclusive(settings, SCORING) as lock:
        link.open()
        assert link.call("WAITAOF", 1, 0, 5000)[0] == 1
        durable_valkey.restart()
        link.close()
        link.open()
        before = link.call("PTTL", SCORING.key)
        assert until(lambda: link.call("PTTL", SCORING.key) > before, 20), "renewed over a new connection"
        assert lock.still_mine()
        link.close()
    assert not lock.lost.is_set()


def test_an_emptied_redis_still_hands_out_greater_fencing_numbers(settings: Settings, link: Link) -> None:
    fences = []
    for _ in range(3):
        with Exclusive(settings, SCORING) as lock:
            fences.append(lock.fence or 0)
        link.call("FLUSHALL", "SYNC")
        assert until(lambda: time.time() * 1000 > fences[-1] + 1)
    assert fences == sorted(set(fences))


def test_a_forked_child_does_not_own_it(settings: Settings, link: Link) -> None:
    with Exclusive(settings, SCORING) as lock:
        child = os.fork()
        if child == 0:
            mine = lock.still_mine()
            lock.__exit__(None, None, None)
            os._exit(1 if mine else 0)
        assert os.waitpid(child, 0)[1] == 0
        assert len(held(link)) == 1
        assert lock.still_mine()
    assert held(link) == []


def test_entered_in_one_thread_and_left_in_another(settings: Settings, link: Link) -> None:
    async def work() -> None:
        lock = await asyncio.to_thread(Exclusive(settings, SCORING).__enter__)
        assert lock.still_mine()
        await asyncio.to_thread(lock.__exit__, None, None, None)

    asyncio.run(work())
    assert held(link) == []
    assert "runtally-lock" not in {thread.name for thread in threading.enumerate()}


def test_a_lock_can_be_used_again_but_not_entered_twice(settings: Settings) -> None:
    lock = Exclusive(settings, SCORING)
    for _ in range(2):
        with lock, pytest.raises(LockInvalid, match="entered already"):
            lock.__enter__()


@pytest.mark.parametrize(
    ("operation", "stream", "client"), [("", 1, None), ("a\nb", 1, None), ("x" * 201, None, None), ("a", True, None), ("a", 1, "b")]
)
def test_what_can_be_no_lock_is_refused(operation: str, stream: int | None, client: str | None) -> None:
    with pytest.raises(LockInvalid):
        scope_of(operation, stream, client)


def test_what_can_be_no_client_is_refused() -> None:
    with pytest.raises(RunIdInvalid):
        scope_of("a", None, " ")


def test_a_taking_whose_answer_was_lost_leaves_nothing_for_long(settings: Settings, link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has applied it, the caller was told that it could not be asked: nobody holds it, and nobody may wait for it."""
    from producers.exclusive import grant

    run = grant.TAKE.run

    def cut(link: Link, *rest: object) -> None:
        run(link, *rest)  # type: ignore[arg-type]
        link.close()
        raise StoreUnavailable("cut")

    monkeypatch.setattr(grant.TAKE, "run", cut)
    with pytest.raises(StoreUnavailable):
        Exclusive(settings, SCORING).__enter__()
    assert held(link) == []

    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(grant.RELEASE, "run", away)
    with pytest.raises(StoreUnavailable):
        Exclusive(settings, SCORING).__enter__()
    assert 0 < link.call("PTTL", SCORING.key) <= 10_000, "not even given back: then it ends soon, not after the whole term"


def test_a_full_redis_does_not_stop_the_jobs(settings: Settings, link: Link) -> None:
    link.call("CONFIG", "SET", "maxmemory", "1")
    try:
        with Exclusive(settings, SCORING) as lock:
            assert lock.still_mine()
    finally:
        link.call("CONFIG", "SET", "maxmemory", "0")


def test_the_key_is_in_the_glossarys_form() -> None:
    assert keys.lock("post_scoring", 1) == "rt:{locks}:lock:post_scoring:stream:1"
    assert keys.lock("a:b", None, "x{y}") == "rt:{locks}:lock:a%3Ab:client:x%7By%7D"


def test_a_job_takes_its_lock_before_it_tells_anything(settings: Settings) -> None:
    import producers
    from producers import default

    default.use(Publisher(settings))
    try:
        with producers.job("post_scoring", stream=1, exclusive=True) as first:
            with pytest.raises(AlreadyRunning) as refused, producers.job("post_scoring", stream=1, exclusive=True) as second:
                second.note("never told")
            assert refused.value.run_id == first.run_id
            with producers.job("post_scoring", stream=2, exclusive=True):
                pass
        with producers.job("post_scoring", stream=1, exclusive=True):
            pass
        assert producers.flush() == 0
        link = Link(settings.redis_url.get_secret_value(), name="test")
        link.open()
        entries = [entry for p in range(settings.partitions) for entry in link.call("XRANGE", keys.log(p), "-", "+")]
        link.close()
        assert sum(fields[1].count(b"job.started") for _, fields in entries) == 3
    finally:
        default.publisher().close()
        default.use(None)
