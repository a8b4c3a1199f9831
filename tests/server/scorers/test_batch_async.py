"""The batch scorer in an event loop: it counts alike, and never holds the loop up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any

import pytest

import producers
from contract.settings import Settings
from contract.status import Status
from producers.batch_scorer import BatchScorer, Tally
from tests.server.scorers.leads import LEADS, A, counted, score
from worker.rows import text

pytestmark = pytest.mark.usefixtures("publisher")


class _Seen:
    """What was called in which thread."""

    def __init__(self) -> None:
        self.threads: dict[str, set[int]] = {}

    def __call__(self, name: str) -> None:
        self.threads.setdefault(name, set()).add(threading.get_ident())


def _async_forms(seen: _Seen) -> dict[str, dict[str, Any]]:
    async def score_later(lead: str, tally: Tally) -> int | None:
        seen("loop")
        await asyncio.sleep(0)
        return score(lead, tally)

    def score_aside(lead: str, tally: Tally) -> int | None:
        seen("aside")
        assert producers.current_run().run_id
        return score(lead, tally)

    async def leads_later(client: str) -> list[str]:
        await asyncio.sleep(0)
        return LEADS[client]

    def leads_promised(client: str) -> Awaitable[list[str]]:
        return leads_later(client)

    async def leads_one_by_one(client: str) -> AsyncIterator[str]:
        for lead in LEADS[client]:
            await asyncio.sleep(0)
            yield lead

    def leads_aside(client: str) -> Iterator[str]:
        for lead in LEADS[client]:
            seen("aside")
            yield lead

    return {
        "coroutines": {"leads_of": leads_later, "score_lead": score_later},
        "an async generator": {"leads_of": leads_one_by_one, "score_lead": score_later},
        "plain functions": {"leads_of": leads_aside, "score_lead": score_aside},
        "a function that returns a coroutine": {"leads_of": leads_promised, "score_lead": score_later},
        "a mapping": {"leads_of": LEADS, "score_lead": score_aside},
    }


@pytest.mark.parametrize("form", list(_async_forms(_Seen())))
def test_the_async_form_counts_alike_and_keeps_what_may_block_off_the_loop(settings: Settings, form: str) -> None:
    seen = _Seen()
    scorer = BatchScorer(**_async_forms(seen)[form], chunk_size=3, exclusive=True)
    result = asyncio.run(scorer.run_async(["a", "b", "empty"]))
    job, clients = counted(settings)
    assert (result.run_id, result.failed, job.status) == (job.run, {}, Status.COMPLETED)
    assert clients["a"].metrics == A
    assert clients["empty"].status is Status.NO_LEADS
    assert threading.get_ident() not in seen.threads.get("aside", set())
    assert seen.threads.get("loop", {threading.get_ident()}) == {threading.get_ident()}


def test_a_cancelled_batch_is_failed_with_a_note(settings: Settings) -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def hangs(lead: str, tally: Tally) -> None:
            begun.set()
            await asyncio.sleep(60)

        task = asyncio.create_task(BatchScorer(leads_of=LEADS, score_lead=hangs).run_async(["a", "b"]))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    asyncio.run(main())
    job, clients = counted(settings)
    assert (job.status, clients["a"].status, list(clients)) == (Status.FAILED, Status.FAILED, ["a"])
    assert "cancelled" in text(job, "notes")


def test_the_sync_form_refuses_what_is_to_be_awaited(settings: Settings) -> None:
    async def later(*_: object) -> list[str]:
        return []

    async def one_by_one(_: str) -> AsyncIterator[str]:
        yield "a"

    for function in (later, one_by_one):
        with pytest.raises(TypeError, match="use run_async"):
            BatchScorer(leads_of=function, score_lead=score).run(["a"])
    with pytest.raises(TypeError, match="use run_async"):
        BatchScorer(leads_of=LEADS, score_chunk=later).run(["a"])
    result = BatchScorer(leads_of={"a": one_by_one("a")}, score_lead=score).run(["a"])
    assert "use run_async" in str(result.failed["a"])
