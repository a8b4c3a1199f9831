"""Single scorer: one piece of work, as a block and as a decorator, plain and async."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import producers
from contract.errors import NoCurrentRun, RunIdConflict, RunIdInvalid
from contract.settings import Settings
from contract.status import Status
from producers import default, post_harvester, post_scorer, single_scorer
from producers.publisher import Publisher
from producers.single_scorer import Skip
from tests.conftest import SettingsMaker
from tests.server.counted_runs import only_run
from worker.rows import ClientRow, text

pytestmark = pytest.mark.usefixtures("publisher")


RUN = "250930-141522"


ONE = {"Leads Processed": 1, "Profiles Examined for Scoring": 1}


def counted(settings: Settings) -> ClientRow:
    assert producers.flush() == 0
    _, (client,) = only_run(settings)
    return client


def test_a_scored_lead_is_a_completed_run_of_its_own(settings: Settings) -> None:
    with single_scorer.lead(client_id="Jane-Doe", stream=4) as lead:
        lead.tokens(prompt=800, completion=12)
        lead.scored()
    client = counted(settings)
    assert client.metrics == ONE | {
        "Profiles Successfully Scored": 1,
        "Prompt Tokens": 800,
        "Completion Tokens": 12,
        "Profile Scoring Tokens": 812,
    }
    job, _ = only_run(settings)
    assert (job.job_type, job.stream, job.status, client.status) == ("lead_scoring", 4, Status.COMPLETED, Status.COMPLETED)


def test_what_a_decorated_function_returns_is_the_score(settings: Settings) -> None:
    @single_scorer.lead(run_id=RUN, client_id=lambda client, _: client)
    def score(client: str, answer: Any) -> Any:
        """Ask the model."""
        single_scorer.current().tokens(total=10)
        return answer

    assert [score("a", answer) for answer in (87, 0, 0.0, "B", None, False)] == [87, 0, 0.0, "B", None, False]
    assert (score.__name__, score.__doc__) == ("score", "Ask the model.")
    metrics = counted(settings).metrics
    assert (metrics["Leads Processed"], metrics["Profiles Examined for Scoring"], metrics["Profiles Successfully Scored"]) == (6, 6, 4)
    assert metrics["Profile Scoring Tokens"] == 60


def test_an_exception_is_counted_told_once_and_passed_on(settings: Settings) -> None:
    fault = ConnectionError("model away")

    def score() -> None:
        with single_scorer.lead(client_id="a") as lead:
            lead.tokens(prompt=3)
            raise fault

    with pytest.raises(ConnectionError) as caught:
        score()
    assert caught.value is fault
    client = counted(settings)
    assert client.status is Status.FAILED
    assert client.metrics == ONE | {
        "Profiles Successfully Scored": 0,
        "Errors": 1,
        "Prompt Tokens": 3,
        "Completion Tokens": 0,
        "Profile Scoring Tokens": 3,
    }
    assert text(client, "errors").count("ConnectionError: model away") == 1
    assert "ConnectionError: model away" in text(only_run(settings)[0], "notes")


def test_skips_are_counted_by_reason_and_go_no_further(settings: Settings) -> None:
    @single_scorer.lead(run_id=RUN, client_id="a")
    def score(reason: str, *, examined: bool) -> int:
        raise Skip(reason, examined=examined)

    with single_scorer.lead(run_id=RUN, client_id="a"):
        raise Skip("SAFETY_BLOCK")
    assert score("NO_CONTENT", examined=False) is None
    assert score("my own reason", examined=True) is None
    client = counted(settings)
    assert client.skips == {"SAFETY_BLOCK": 1, "NO_CONTENT": 1, "my own reason": 1}
    assert client.metrics == {
        "Leads Processed": 3,
        "Profiles Examined for Scoring": 2,
        "Profiles Successfully Scored": 0,
        "Leads Skipped": 3,
    }


def test_a_lead_that_is_skipped_in_a_run_of_its_own_completes_it(settings: Settings) -> None:
    with single_scorer.lead(client_id="a"):
        raise Skip("QUOTA")
    assert counted(settings).status is Status.COMPLETED


def test_a_lead_of_an_existing_run_neither_begins_nor_ends_it(settings: Settings) -> None:
    with producers.job("batch", run_id=RUN) as job, job.client("a", name="A"):
        with pytest.raises(KeyError), single_scorer.lead(run_id=RUN, client_id="a"):
            raise KeyError("x")
        with single_scorer.lead(run_id=f"{RUN}-a") as lead:
            lead.scored()
        row = counted(settings)
        assert (row.status, row.name) == (Status.RUNNING, "A")
        assert row.metrics == {
            "Leads Processed": 2,
            "Profiles Examined for Scoring": 2,
            "Profiles Successfully Scored": 1,
            "Errors": 1,
        }
    assert counted(settings).status is Status.COMPLETED
    assert only_run(settings)[0].job_type == "batch"


async def _score_many() -> list[Any]:
    @single_scorer.lead(run_id=RUN, client_id="a")
    async def score(number: int) -> int | None:
        await asyncio.sleep(0)
        # The tally is known in threads that were started by the loop, and is this call's own.
        await asyncio.to_thread(lambda: single_scorer.current().tokens(total=number))
        if number == 3:
            raise Skip("INVALID_AI_RESPONSE")
        if number == 4:
            raise ValueError(number)
        return number

    return await asyncio.gather(*(score(number) for number in range(6)), return_exceptions=True)


def test_coroutines_at_the_same_time_have_a_tally_each(settings: Settings) -> None:
    results = asyncio.run(_score_many())
    assert (results[:4], repr(results[4]), results[5]) == ([0, 1, 2, None], "ValueError(4)", 5)
    client = counted(settings)
    assert client.metrics["Profiles Successfully Scored"] == 4
    assert client.metrics["Profile Scoring Tokens"] == sum(range(6))
    assert (client.metrics["Errors"], client.skips) == (1, {"INVALID_AI_RESPONSE": 1})


def test_an_async_block_of_a_run_of_its_own(settings: Settings) -> None:
    async def score() -> None:
        async with single_scorer.lead(client_id="a") as lead:
            lead.scored()
            assert producers.current_run().run_id.endswith("-a")
        with pytest.raises(NoCurrentRun):
            single_scorer.current()

    asyncio.run(score())
    assert counted(settings).metrics == ONE | {"Profiles Successfully Scored": 1}


def test_a_cancelled_lead_is_failed_with_a_note(settings: Settings) -> None:
    async def main() -> None:
        begun = asyncio.Event()

        @single_scorer.lead(client_id="a")
        async def score() -> None:
            begun.set()
            await asyncio.sleep(60)

        task = asyncio.create_task(score())
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    asyncio.run(main())
    client = counted(settings)
    assert (client.status, client.metrics["Errors"]) == (Status.FAILED, 1)
    assert "cancelled" in text(client, "notes")


@pytest.mark.parametrize("scorer", [single_scorer.lead, post_scorer.post, post_scorer.posts, post_harvester.harvest])
def test_counts_without_a_client_are_refused_at_once(scorer: Any) -> None:
    with pytest.raises(TypeError, match="client"):
        scorer()
    with pytest.raises(TypeError, match="client"):
        scorer(run_id=RUN)
    with pytest.raises(RunIdConflict), scorer(run_id=f"{RUN}-Jane-Doe", client_id="Doe"):
        pytest.fail("not to be entered")
    with pytest.raises(RunIdInvalid, match="names none"), scorer(run_id=lambda: RUN):
        pytest.fail("not to be entered")


def test_generators_are_refused() -> None:
    with pytest.raises(TypeError, match="generator"):

        @single_scorer.lead(client_id="a")
        def score() -> Iterator[int]:
            yield 1


def test_durable_counts_of_a_coroutine_wait_for_the_disk_in_a_thread(
    make_settings: SettingsMaker, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(redis_url=redis_url, durable=True)
    publisher = Publisher(settings)
    default.use(publisher)
    threads: set[int] = set()
    put = Publisher.put

    def noted(own: Publisher, *rest: Any) -> bool:
        threads.add(threading.get_ident())
        return put(own, *rest)

    monkeypatch.setattr(Publisher, "put", noted)

    async def work() -> None:
        async with post_harvester.harvest(run_id=RUN, client_id="a") as harvest:
            for _ in range(5):
                harvest.harvested(2)
        async with single_scorer.lead(run_id=RUN, client_id="a") as lead:
            lead.scored()

    asyncio.run(work())
    assert threads
    assert threading.get_ident() not in threads
    metrics = counted(settings).metrics
    assert (metrics["Total Posts Harvested"], metrics["Profiles Successfully Scored"]) == (10, 1)
    assert publisher.close() == 0


def test_pieces_of_another_kind_are_not_mixed_up(settings: Settings) -> None:
    with post_harvester.harvest(run_id=RUN, client_id="a") as harvest:
        assert post_harvester.current() is harvest
        with pytest.raises(NoCurrentRun):
            single_scorer.current()
    with pytest.raises(NoCurrentRun):
        post_harvester.current()
