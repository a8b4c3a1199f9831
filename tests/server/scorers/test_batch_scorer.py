"""The batch scorer: many clients, chunk by chunk, each counted as it goes, and one client's failure is its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import producers
from contract import keys
from contract.errors import AlreadyRunning, LockLost, RunIdInvalid, TooManyErrors
from contract.link import Link
from contract.settings import Settings
from contract.status import Status
from producers.batch_scorer import POSTS, BatchScorer, Skip, Tally
from producers.publisher import Publisher
from tests.server.scorers.leads import LEADS, A, counted, score
from worker.rows import text

pytestmark = pytest.mark.usefixtures("publisher")


RUN = "250930-141522"


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


@pytest.mark.parametrize("chunk_size", [1, 3, 7, 100])
def test_leads_one_by_one_are_counted_alike_in_any_chunks(settings: Settings, chunk_size: int) -> None:
    result = BatchScorer(leads_of=LEADS, score_lead=score, chunk_size=chunk_size, stream=2).run({"a": "Client A", "b": "B", "empty": "E"})
    job, clients = counted(settings)
    assert (result.run_id, job.job_type, job.stream, job.status) == (job.run, "batch_scoring", 2, Status.COMPLETED)
    assert clients["a"].metrics == A
    assert (clients["a"].skips, clients["a"].name) == ({"SAFETY_BLOCK": 1, "NO_CONTENT": 1}, "Client A")
    assert "ValueError: no JSON" in text(clients["a"], "errors")
    assert [clients[name].status for name in ("a", "b", "empty")] == [Status.COMPLETED, Status.COMPLETED, Status.NO_LEADS]
    assert job.metrics["Leads Processed"] == 8
    assert (result.failed, result.finished_before) == ({}, [])
    assert result.clients["a"].metrics["leads_processed"] == 7
    assert result.clients["a"].skips == clients["a"].skips


def test_a_chunk_is_told_as_one_event_and_its_leads_are_taken_as_it_goes(settings: Settings, link: Link) -> None:
    taken: list[int] = []
    seen: list[tuple[int, list[int]]] = []

    def leads(_: str) -> Iterator[int]:
        for number in range(5):
            taken.append(number)
            yield number

    def score_chunk(chunk: list[int], tally: Tally) -> None:
        seen.append((len(taken), chunk))
        tally.scored(len(chunk))

    BatchScorer(leads_of=leads, score_chunk=score_chunk, chunk_size=2).run(["a"], run_id=None)
    assert seen == [(2, [0, 1]), (4, [2, 3]), (5, [4])]
    _, clients = counted(settings)
    assert clients["a"].events == 5, "started, three chunks, completed"
    assert clients["a"].metrics["Profiles Successfully Scored"] == 5


def test_what_a_chunk_tells_of_its_leads(settings: Settings) -> None:
    def score_chunk(chunk: list[str], tally: Tally) -> None:
        assert producers.current_run().run_id.endswith("-a")
        if chunk == ["a6"]:
            raise Skip("QUOTA")
        tally.scored(1)
        tally.skip("INVALID_AI_RESPONSE")
        tally.error("a2: timed out")
        tally.count(posts_processed=4)
        if "a3" in chunk:
            raise Skip("MODEL_CONFIG")

    BatchScorer(leads_of=LEADS, score_chunk=score_chunk, chunk_size=3).run(["a"])
    _, clients = counted(settings)
    assert clients["a"].metrics == {
        "Leads Processed": 7,
        "Profiles Examined for Scoring": 7,
        "Profiles Successfully Scored": 2,
        "Leads Skipped": 4,
        "Errors": 2,
        "Posts Processed": 8,
    }
    assert clients["a"].skips == {"INVALID_AI_RESPONSE": 2, "QUOTA": 1, "MODEL_CONFIG": 1}


def test_one_clients_failure_is_in_its_run_and_the_others_go_on(settings: Settings) -> None:
    def score_chunk(chunk: list[str], tally: Tally) -> None:
        if chunk[0] == "a4":
            raise ConnectionError("AUTH: no such key")
        tally.scored(len(chunk))

    def leads_of(client: str) -> list[str]:
        return LEADS[client]

    result = BatchScorer(leads_of=leads_of, score_chunk=score_chunk, chunk_size=2).run(["unknown", "a", "\x00", "b"])
    job, clients = counted(settings)
    assert {name: repr(error) for name, error in result.failed.items() if name != "\x00"} == {
        "unknown": "KeyError('unknown')",
        "a": "ConnectionError('AUTH: no such key')",
    }
    assert isinstance(result.failed["\x00"], RunIdInvalid)
    assert {name: row.status for name, row in clients.items()} == {
        "unknown": Status.FAILED,
        "a": Status.FAILED,
        "b": Status.COMPLETED,
    }
    assert "AUTH: no such key" in text(clients["a"], "errors")
    assert clients["a"].metrics["Leads Processed"] == 4, "of the chunk that failed nothing is counted"
    assert job.status is Status.COMPLETED
    assert "client not scored" in text(job, "notes")


def test_a_run_in_which_every_client_failed_is_failed(settings: Settings) -> None:
    def leads_of(client: str) -> list[str]:
        raise OSError(client)

    BatchScorer(leads_of=leads_of, score_lead=score).run(["a", "b"])
    assert counted(settings)[0].status is Status.FAILED


def test_too_many_errors_end_a_client(settings: Settings) -> None:
    def fails(lead: str, tally: Tally) -> None:
        raise TimeoutError(lead)

    result = BatchScorer(leads_of=LEADS, score_lead=fails, chunk_size=2, most_errors=3).run(["a", "b"])
    assert isinstance(result.failed["a"], TooManyErrors)
    _, clients = counted(settings)
    assert (clients["a"].metrics["Errors"], clients["a"].status) == (4, Status.FAILED), "what was done counts"
    assert (clients["b"].metrics["Errors"], clients["b"].status) == (1, Status.COMPLETED)


def test_an_interrupt_stops_the_run_and_fails_it(settings: Settings) -> None:
    def interrupted(lead: str, tally: Tally) -> int:
        if lead == "a3":
            raise KeyboardInterrupt
        return 1

    with pytest.raises(KeyboardInterrupt):
        BatchScorer(leads_of=LEADS, score_lead=interrupted, chunk_size=2).run(["a", "b"])
    job, clients = counted(settings)
    assert (job.status, clients["a"].status, list(clients)) == (Status.FAILED, Status.FAILED, ["a"])
    assert clients["a"].metrics["Leads Processed"] == 2


def test_posts_are_counted_as_posts(settings: Settings) -> None:
    BatchScorer(leads_of={"a": [1, 2, 3]}, score_lead=lambda post, _: post, names=POSTS, job_type="post_scoring").run(["a"])
    job, clients = counted(settings)
    assert job.job_type == "post_scoring"
    assert clients["a"].metrics == {"Posts Processed": 3, "Posts Examined for Scoring": 3, "Posts Successfully Scored": 3}


def test_the_same_leads_twice_in_one_run_count_twice(settings: Settings) -> None:
    BatchScorer(leads_of={"a": ["x", "y"] * 3}, score_lead=lambda *_: 1, chunk_size=2).run(["a"])
    assert counted(settings)[1]["a"].metrics["Leads Processed"] == 6


def test_a_lead_that_nothing_identifies_fails_its_client_with_what_to_do(settings: Settings) -> None:
    result = BatchScorer(leads_of={"a": [{"name": "Ada"}]}, score_lead=lambda *_: 1).run(["a"])
    assert "give key=" in str(result.failed["a"])
    named = BatchScorer(leads_of={"b": [{"name": "Ada"}], "c": [{"id": 7}]}, score_lead=lambda *_: 1, key=str)
    assert named.run(["b", "c"]).failed == {}


def test_a_second_start_is_refused_and_a_run_that_was_overtaken_stops(settings: Settings, link: Link) -> None:
    scorer: BatchScorer

    def overtaken(lead: str, tally: Tally) -> int:
        if lead == "a0":
            with pytest.raises(AlreadyRunning):
                scorer.run(["b"])
        if lead == "a3":
            link.call("DEL", keys.lock("batch_scoring", 1))
            lock = producers.current_job().lock
            assert lock is not None
            assert lock.lost.wait(30)
        return 1

    scorer = BatchScorer(leads_of=LEADS, score_lead=overtaken, chunk_size=2, stream=1, exclusive=True)
    with pytest.raises(LockLost):
        scorer.run(["a", "b"])
    job, clients = counted(settings)
    assert (job.status, clients["a"].metrics["Leads Processed"], list(clients)) == (Status.FAILED, 4, ["a"])
    assert "LockLost" in text(job, "notes")


def test_bad_arguments_raise_before_anything_is_told(publisher: Publisher) -> None:
    with pytest.raises(TypeError, match="one of them"):
        BatchScorer(leads_of=LEADS)
    with pytest.raises(ValueError, match="at least one"):
        BatchScorer(leads_of=LEADS, score_lead=score, chunk_size=0)
    scorer = BatchScorer(leads_of=LEADS, score_lead=score)
    with pytest.raises(TypeError, match="several"):
        scorer.run("abc")
    with pytest.raises(RunIdInvalid):
        scorer.run(["a"], run_id="259999-999999")
    with pytest.raises(RunIdInvalid, match="names no client"):
        scorer.run(["a"], run_id=f"{RUN}-a")
    assert publisher.pending == 0
    assert publisher.counters["published"] == 0
