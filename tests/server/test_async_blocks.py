"""`async with` a job and its clients: the same as `with`, and the loop is never held up."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

import producers
from contract import keys
from contract.errors import AlreadyRunning, StoreUnavailable
from contract.link import Link
from contract.settings import Settings
from contract.status import Status
from producers import default
from producers.exclusive import held
from producers.publisher import Publisher
from tests.conftest import SettingsMaker
from tests.server.counted_runs import only_run, runs
from worker.rows import text

RUN = "250930-141522"


@contextlib.contextmanager
def emitting(settings: Settings) -> Iterator[Publisher]:
    publisher = Publisher(settings)
    default.use(publisher)
    try:
        yield publisher
    finally:
        default.use(None)
        publisher.close()


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    with emitting(settings) as publisher:
        yield publisher


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of something that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


async def within(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.005)
    return True


@contextlib.asynccontextmanager
async def ticking() -> Iterator[Callable[[], int]]:  # type: ignore[misc]
    """How often the loop came round meanwhile."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    ticker = asyncio.create_task(tick())
    try:
        yield lambda: ticks
    finally:
        ticker.cancel()


def test_a_job_with_two_clients_at_once(settings: Settings, publisher: Publisher) -> None:
    async def score(job: producers.Job, client: str, number: int) -> None:
        async with job.client(client, name=client.upper()) as run:
            for _ in range(number):
                await asyncio.sleep(0)
                run.count(leads_processed=1)

    async def work() -> str:
        async with producers.job("scoring", stream=3) as job:
            await asyncio.gather(score(job, "a", 5), score(job, "b", 7))
        return job.run_id

    run_id = asyncio.run(work())
    assert publisher.flush() == 0
    job, (first, second) = only_run(settings)
    assert (job.run, job.job_type, job.stream, job.status) == (run_id, "scoring", 3, Status.COMPLETED)
    assert (first.name, first.metrics, second.metrics) == ("A", {"Leads Processed": 5}, {"Leads Processed": 7})


def test_an_exception_fails_the_client_and_the_job_and_is_passed_on(settings: Settings, publisher: Publisher) -> None:
    async def work() -> None:
        async with producers.job("scoring", run_id=RUN) as job, job.client("a"):
            raise KeyError("boom")

    with pytest.raises(KeyError, match="boom"):
        asyncio.run(work())
    assert publisher.flush() == 0
    job, (client,) = only_run(settings)
    assert (job.status, client.status) == (Status.FAILED, Status.FAILED)
    assert "KeyError: 'boom'" in text(job, "notes")
    assert "KeyError: 'boom'" in text(client, "errors")


def test_cancelled_work_is_failed_with_a_note_and_the_cancellation_passed_on(settings: Settings, publisher: Publisher) -> None:
    async def work(begun: asyncio.Event) -> None:
        async with producers.job("scoring", stream=1, run_id=RUN, exclusive=True) as job, job.client("a") as run:
            run.count(leads_processed=2)
            begun.set()
            await asyncio.sleep(60)

    async def main() -> bool:
        begun = asyncio.Event()
        task = asyncio.create_task(work(begun))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return task.cancelled()

    assert asyncio.run(main())
    assert publisher.flush() == 0
    job, (client,) = only_run(settings)
    assert (job.status, client.status, client.metrics) == (Status.FAILED, Status.FAILED, {"Leads Processed": 2})
    assert "cancelled" in text(job, "notes")
    assert "cancelled" in text(client, "notes")
    assert text(client, "errors") == ""


def test_the_loop_goes_on_while_redis_does_not_answer_for_a_run_id(make_settings: SettingsMaker, silent: str) -> None:
    async def work() -> tuple[str, int]:
        async with ticking() as ticks, producers.job("scoring") as job:
            entering = ticks()
        return job.run_id, entering

    with emitting(make_settings(redis_url=silent, drain_timeout_s=0)):
        run_id, entering = asyncio.run(work())
    assert producers.is_valid_run_id(run_id)
    assert entering > 20, "Redis was waited for, 2 seconds, and the loop came round all the time"


def test_the_loop_goes_on_while_redis_does_not_answer_for_a_lock(make_settings: SettingsMaker, silent: str) -> None:
    async def work() -> int:
        async with ticking() as ticks:
            with pytest.raises(StoreUnavailable):
                async with producers.job("scoring", run_id=RUN, exclusive=True):
                    pytest.fail("not to be entered")
            return ticks()

    with emitting(make_settings(redis_url=silent, drain_timeout_s=0)) as publisher:
        assert asyncio.run(work()) > 20
        assert publisher.pending == 0, "before an event is told"


def test_an_exclusive_job_is_refused_and_its_lock_given_back(publisher: Publisher, link: Link) -> None:
    async def work() -> None:
        async with producers.job("scoring", stream=1, exclusive=True) as first:
            with pytest.raises(AlreadyRunning) as refused:
                async with producers.job("scoring", stream=1, exclusive=True):
                    pytest.fail("not to be entered")
            assert refused.value.run_id == first.run_id
            assert first.lock is not None
            assert first.lock.still_mine()

    asyncio.run(work())
    assert held(link) == []


def test_cancelled_while_it_enters_it_leaves_no_lock_and_no_run_open(
    settings: Settings, publisher: Publisher, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    from producers.exclusive import Exclusive

    entering, go_on, enter = threading.Event(), threading.Event(), Exclusive.__enter__

    def slow(lock: Exclusive) -> Exclusive:
        entering.set()
        assert go_on.wait(20)
        return enter(lock)

    monkeypatch.setattr(Exclusive, "__enter__", slow)

    async def work() -> None:
        async with producers.job("scoring", run_id=RUN, exclusive=True):
            pytest.fail("not to be entered")

    async def main() -> None:
        task = asyncio.create_task(work())
        assert await within(entering.is_set)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled(), "the cancellation does not wait for Redis"
        assert held(link) == []
        go_on.set()
        assert await within(lambda: publisher.flush() == 0 and publisher.counters["published"] >= 2)
        assert await within(lambda: held(link) == [])

    asyncio.run(main())
    job, _ = only_run(settings)
    assert job.status is Status.FAILED
    assert "cancelled" in text(job, "notes")


def test_heartbeats_are_sent_while_an_async_block_is_open(make_settings: SettingsMaker, redis_url: str, link: Link) -> None:
    settings = make_settings(redis_url=redis_url, stale_after_s=0.3)
    log = keys.log(keys.partition_of(RUN, settings.partitions))

    def beats() -> int:
        return sum(entry[1][1].count(b"client.run.heartbeat") for entry in link.call("XRANGE", log, "-", "+"))

    async def work() -> None:
        async with producers.job("quiet", run_id=RUN) as job, job.client("a"):
            assert await within(lambda: beats() >= 3)

    with emitting(settings) as publisher:
        asyncio.run(work())
        assert publisher.flush() == 0
        assert "runtally-heartbeat" in {thread.name for thread in threading.enumerate()}


def test_durable_events_wait_for_the_disk_in_a_thread_and_are_on_it_when_the_block_is_left(
    make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is away: what is delivered comes from the disk."""
    settings = make_settings(redis_url="redis://127.0.0.1:1/0", durable=True, drain_timeout_s=0)
    waited: set[int] = set()
    put = Publisher.put

    def noted(publisher: Publisher, *rest: object) -> bool:
        waited.add(threading.get_ident())
        return put(publisher, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Publisher, "put", noted)

    async def work(publisher: Publisher) -> int:
        async with producers.job("scoring", run_id=RUN) as job:
            async with job.client("a") as run:
                for _ in range(20):
                    run.count(leads_processed=1)
            return publisher.counters["spooled"]

    with emitting(settings) as publisher:
        spooled = asyncio.run(work(publisher))
        assert spooled >= 23, "job and client started, counted, client completed"
        assert threading.get_ident() not in waited
        assert "not_durable" not in publisher.counters


def test_the_run_id_of_a_job_is_known_before_it_is_entered(publisher: Publisher, settings: Settings) -> None:
    waiting = producers.job("scoring")
    run_id = waiting.run_id
    with waiting as job:
        assert job.run_id == run_id
    assert publisher.flush() == 0
    assert [job.run for job, _ in runs(settings)] == [run_id]
