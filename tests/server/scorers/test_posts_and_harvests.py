"""Post scorer and harvester: posts, and what it cost to get them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

import producers
from contract.settings import Settings
from contract.status import Status
from producers import post_harvester, post_scorer
from producers.publisher import Publisher
from producers.single_scorer import Skip
from tests.server.counted_runs import only_run, runs
from worker.rows import ClientRow, text

pytestmark = pytest.mark.usefixtures("publisher")


RUN = "250930-141522"


def counted(settings: Settings) -> ClientRow:
    assert producers.flush() == 0
    _, (client,) = only_run(settings)
    return client


def test_posts_are_counted_as_posts(settings: Settings) -> None:
    with post_scorer.posts(5, run_id=RUN, client_id="a") as posts:
        posts.examined(2)
        posts.scored(4)
        posts.tokens(prompt=90, completion=None)
        posts.skip("NO_CONTENT")
        posts.error("post 6: the answer is no JSON")
        posts.count(posts_with_links=3)
    with post_scorer.posts(4, run_id=RUN, client_id="a") as posts:
        posts.scored(1)
        raise Skip("NO_POSTS_PARSED")

    @post_scorer.post(run_id=RUN, client_id="a")
    def score(post: str) -> int | None:
        post_scorer.current().tokens(prompt=10)
        return len(post) or None

    assert [score(""), score("hello")] == [None, 5]
    client = counted(settings)
    assert client.metrics == {
        "Posts Processed": 13,
        "Posts Examined for Scoring": 13,
        "Posts Successfully Scored": 6,
        "Prompt Tokens": 110,
        "Completion Tokens": 0,
        "Post Scoring Tokens": 110,
        "Errors": 1,
    }
    assert client.skips == {"NO_CONTENT": 1, "NO_POSTS_PARSED": 3}, "a Skip is for all that are not accounted for"
    assert client.unknown == {"posts_with_links": 3}
    assert "no JSON" in text(client, "errors")


def test_what_a_decorated_function_of_several_posts_returns_says_nothing(settings: Settings) -> None:
    @post_scorer.posts(3, client_id="a")
    def score() -> list[int]:
        post_scorer.current().scored(2)
        return [1, 2]

    assert score() == [1, 2]
    assert counted(settings).metrics["Posts Successfully Scored"] == 2


def test_a_harvest_is_exact_to_the_last_digit(settings: Settings) -> None:
    with post_harvester.harvest(client_id="a") as harvest:
        harvest.submitted(profiles=20)
        for usd in (0.1, 0.2, "0.30000000000000000000000000001", Decimal("0.0000000001"), 1):
            harvest.cost(usd)
        harvest.cost("a lot")
        harvest.apify("aB3dE5fG7hJ9kL1mN", "RUNNING")
        harvest.apify(status="SUCCEEDED")
        harvest.harvested(132)
        harvest.tokens(prompt=5, completion=6)
        harvest.skip("NO_POSTS_PARSED", 2)
    client = counted(settings)
    assert client.metrics == {
        "Profiles Submitted for Post Harvesting": 20,
        "Total Posts Harvested": 132,
        "Apify API Costs": Decimal("1.60000000010000000000000000001"),
        "Apify Run ID": "aB3dE5fG7hJ9kL1mN",
        "Apify Status": "SUCCEEDED",
        "Prompt Tokens": 5,
        "Completion Tokens": 6,
        "Post Scoring Tokens": 11,
    }
    assert client.skips == {"NO_POSTS_PARSED": 2}
    assert "a lot" in text(client, "notes")
    job, _ = only_run(settings)
    assert (job.job_type, job.status) == ("post_harvesting", Status.COMPLETED)


def test_what_a_harvest_cost_is_told_before_it_fails(settings: Settings, publisher: Publisher) -> None:
    @post_harvester.harvest(run_id=RUN, client_id="a")
    def harvest() -> None:
        post_harvester.current().cost("0.5")
        assert counted(settings).metrics == {"Apify API Costs": Decimal("0.5")}
        raise TimeoutError("Apify")

    with pytest.raises(TimeoutError):
        harvest()
    client = counted(settings)
    assert (client.metrics["Errors"], client.status) == (1, Status.RUNNING), "the run it belongs to goes on"
    assert [job.run for job, _ in runs(settings)] == [RUN]


def test_a_tally_takes_counts_from_many_threads(settings: Settings) -> None:
    with post_scorer.posts(8_000, client_id="a") as posts, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: posts.scored(), range(8_000)))
    assert counted(settings).metrics["Posts Successfully Scored"] == 8_000
