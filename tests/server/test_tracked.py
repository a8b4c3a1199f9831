"""`producers.tracked`: each call of a function is a run of its own, and the function behaves as it did."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import structlog

import producers
from contract.errors import AlreadyRunning, NoCurrentRun, RunIdInvalid, StoreUnavailable
from contract.settings import Settings
from contract.status import Status
from producers import default
from producers.publisher import Publisher
from tests.server.counted_runs import only_run, runs
from worker.rows import text


@pytest.fixture(autouse=True)
def publisher(settings: Settings) -> Iterator[Publisher]:
    publisher = Publisher(settings)
    default.use(publisher)
    yield publisher
    default.use(None)
    assert publisher.close() == 0


def test_a_call_is_a_completed_job_and_returns_what_it_returned(settings: Settings) -> None:
    @producers.tracked("nightly_cleanup", stream=lambda *tables, **_: len(tables))
    def cleanup(*tables: str, dry: bool = False) -> list[str]:
        """Delete old rows."""
        return [*tables, str(dry)]

    assert cleanup("a", "b", dry=True) == ["a", "b", "True"]
    assert (cleanup.__name__, cleanup.__doc__) == ("cleanup", "Delete old rows.")
    assert producers.flush() == 0
    job, clients = only_run(settings)
    assert (job.job_type, job.stream, job.status, clients) == ("nightly_cleanup", 2, Status.COMPLETED, [])
    assert job.start is not None
    assert job.end is not None
    assert job.start <= job.end


def test_two_calls_are_two_runs_and_the_bare_decorator_takes_the_functions_name(settings: Settings) -> None:
    @producers.tracked
    def tidy() -> None:
        pass

    tidy()
    tidy()
    assert producers.flush() == 0
    assert [(job.job_type, job.status) for job, _ in runs(settings)] == [("tidy", Status.COMPLETED)] * 2


def test_an_exception_fails_the_run_and_is_passed_on(settings: Settings) -> None:
    fault = ValueError("no table called leads")

    @producers.tracked("cleanup", client="acme")
    def cleanup() -> None:
        raise fault

    with pytest.raises(ValueError, match="no table") as caught:
        cleanup()
    assert caught.value is fault
    assert producers.flush() == 0
    job, (client,) = only_run(settings)
    assert (job.status, client.status) == (Status.FAILED, Status.FAILED)
    assert "ValueError: no table called leads" in text(job, "notes")
    assert "ValueError: no table called leads" in text(client, "errors")


def test_metrics_come_from_what_is_returned_and_from_the_current_run(settings: Settings) -> None:
    def deep_inside() -> None:
        producers.current_run().count(profile_scoring_tokens=7)
        producers.current_job().note("half-way")

    @producers.tracked("import", client=lambda tenant, **_: tenant, metrics=lambda number: {"leads_processed": number})
    def import_leads(tenant: str, *, number: int) -> int:
        deep_inside()
        return number

    assert import_leads("Jane-Doe", number=5) == 5
    assert producers.flush() == 0
    job, (client,) = only_run(settings)
    assert (client.client, client.status) == ("Jane-Doe", Status.COMPLETED)
    assert client.metrics == {"Leads Processed": 5, "Profile Scoring Tokens": 7}
    assert "half-way" in text(job, "notes")
    with pytest.raises(NoCurrentRun, match="nothing is tracked"):
        producers.current_run()


def test_a_function_that_tells_its_end_by_itself_is_not_overruled(settings: Settings) -> None:
    @producers.tracked("import", client="acme")
    def import_leads() -> None:
        producers.current_run().count(leads_processed=1)
        producers.current_run().complete(status="Failed: the source was cut short")

    import_leads()
    assert producers.flush() == 0
    _, (client,) = only_run(settings)
    assert client.status is Status.FAILED


def test_metrics_that_cannot_be_told_leave_the_result_alone(settings: Settings) -> None:
    @producers.tracked("import", client="acme", metrics=lambda result: {"leads_processed": result["rows"]})
    def import_leads() -> dict[str, int]:
        return {}

    with structlog.testing.capture_logs() as lines:
        assert import_leads() == {}
    assert producers.flush() == 0
    job, (client,) = only_run(settings)
    assert job.status is Status.NO_LEADS
    assert "KeyError: 'rows'" in text(client, "notes")
    assert [(line["log_level"], line["run_id"]) for line in lines] == [("error", client.row_id)]


def test_a_client_of_none_is_no_client_and_a_bad_one_starts_nothing(settings: Settings) -> None:
    called: list[str | None] = []

    @producers.tracked("import", client=lambda tenant: tenant)
    def import_leads(tenant: str | None) -> None:
        called.append(tenant)
        with pytest.raises(NoCurrentRun, match="no client"):
            producers.current_run()

    import_leads(None)
    with pytest.raises(RunIdInvalid):
        import_leads("")
    assert called == [None]
    assert producers.flush() == 0
    job, clients = only_run(settings)
    assert (job.status, clients) == (Status.COMPLETED, [])


def test_coroutines_are_tracked_across_awaits_tasks_and_threads(settings: Settings) -> None:
    @producers.tracked("fetch", client=lambda name: name, metrics=lambda pages: {"leads_processed": pages})
    async def fetch(name: str) -> int:
        await asyncio.sleep(0)
        producers.current_run().count(profile_scoring_tokens=len(name))
        await asyncio.to_thread(lambda: producers.current_run().count(post_scoring_tokens=len(name)))
        await asyncio.gather(asyncio.create_task(inner(name)))
        return 1

    async def inner(name: str) -> None:
        producers.current_run().count(prompt_tokens=len(name))

    async def both() -> list[int]:
        return await asyncio.gather(fetch("a"), fetch("bb"))

    assert asyncio.run(both()) == [1, 1]
    assert producers.flush() == 0
    found = {client.client: client.metrics for _, clients in runs(settings) for client in clients}
    names = ("Leads Processed", "Profile Scoring Tokens", "Post Scoring Tokens", "Prompt Tokens")
    assert {name: [found[name][metric] for metric in names] for name in found} == {"a": [1, 1, 1, 1], "bb": [1, 2, 2, 2]}


def test_a_pool_of_threads_knows_the_run_by_a_copy_of_the_context(settings: Settings) -> None:
    @producers.tracked("fetch", client="acme")
    def fetch() -> None:
        with ThreadPoolExecutor(2) as pool:
            without = pool.submit(producers.current_run)
            counting = contextvars.copy_context()
            pool.submit(counting.run, lambda: producers.current_run().count(leads_processed=3)).result()
            with pytest.raises(NoCurrentRun):
                without.result()

    fetch()
    assert producers.flush() == 0
    _, (client,) = only_run(settings)
    assert client.metrics == {"Leads Processed": 3}


def test_a_cancelled_coroutine_has_failed_and_lets_go_of_its_lock(settings: Settings) -> None:
    @producers.tracked("fetch", exclusive=True)
    async def fetch(started: asyncio.Event) -> None:
        started.set()
        await asyncio.Event().wait()

    async def cancel_twice() -> None:
        for _ in range(2):
            started = asyncio.Event()
            task = asyncio.create_task(fetch(started))
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancel_twice())
    assert producers.flush() == 0
    assert [job.status for job, _ in runs(settings)] == [Status.FAILED] * 2


def test_an_exclusive_function_is_refused_while_another_works_for_the_same_client(settings: Settings) -> None:
    entered, leave = threading.Event(), threading.Event()

    @producers.tracked("harvest", client=lambda client: client, stream=1, exclusive=True)
    def harvest(client: str) -> str:
        if client == "a" and not entered.is_set():
            entered.set()
            assert leave.wait(30)
        return client

    thread = threading.Thread(target=harvest, args=("a",))
    thread.start()
    try:
        assert entered.wait(30)
        with pytest.raises(AlreadyRunning) as refused:
            harvest("a")
        assert harvest("b") == "b"
    finally:
        leave.set()
        thread.join(30)
    assert harvest("a") == "a"
    assert producers.flush() == 0
    found = runs(settings)
    assert refused.value.run_id in [job.run for job, _ in found]
    assert [clients[0].client for _, clients in found].count("a") == 2


def test_a_start_that_is_skipped_returns_none_with_a_line_in_the_log(settings: Settings) -> None:
    @producers.tracked("harvest", skip_if_running=True)
    def harvest(depth: int = 0) -> Any:
        return harvest(depth + 1) if depth == 0 else depth

    with structlog.testing.capture_logs() as lines:
        assert harvest() is None
    assert [(line["event"], line["operation"]) for line in lines] == [("skipped", "harvest")]
    assert producers.flush() == 0
    job, _ = only_run(settings)
    assert (job.status, lines[0]["holder"]) == (Status.COMPLETED, job.run)


def test_a_refusal_from_within_the_function_is_no_skip(settings: Settings) -> None:
    @producers.tracked("inner", exclusive=True)
    def inner(depth: int = 0) -> None:
        if depth == 0:
            inner(1)

    @producers.tracked("outer", skip_if_running=True)
    def outer() -> None:
        inner()

    with pytest.raises(AlreadyRunning):
        outer()
    assert producers.flush() == 0
    assert {job.job_type: job.status for job, _ in runs(settings)} == {"outer": Status.FAILED, "inner": Status.FAILED}


def test_without_redis_the_function_works_and_only_a_lock_is_refused(make_settings: Any) -> None:
    away = Publisher(make_settings(redis_url="redis://127.0.0.1:1/0", drain_timeout_s=0))
    default.use(away)

    @producers.tracked("cleanup")
    def cleanup() -> int:
        return 3

    @producers.tracked("cleanup", skip_if_running=True)
    def locked() -> int:
        return 3

    @producers.tracked("cleanup", exclusive=True, if_unavailable="proceed")
    def reckless() -> int:
        return 3

    assert (cleanup(), reckless()) == (3, 3)
    with pytest.raises(StoreUnavailable):
        locked()
    assert away.close() == 0
    assert away.left == 4


def test_what_cannot_be_tracked_is_refused_where_it_is_declared() -> None:
    with pytest.raises(TypeError, match="client"):
        producers.tracked("import", metrics=lambda number: {"leads_processed": number})
    with pytest.raises(TypeError, match="generator"):

        @producers.tracked
        def rows() -> Iterator[int]:
            yield 1
