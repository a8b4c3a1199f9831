"""What Redis keeps of a batch: when it is written, for how long it holds, and what its absence costs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

import producers
from contract import keys
from contract.errors import RunNotContinued, StoreUnavailable
from contract.link import Link
from contract.run_id import from_datetime
from contract.settings import Settings
from embedded import EmbeddedValkey
from producers import default
from producers.batch_scorer import BatchScorer, Tally
from producers.publish.event import Subject
from producers.publisher import Publisher
from producers.scoring.marks import Marks
from producers.scoring.standing import digest_of
from tests.conftest import SettingsMaker
from tests.server.scorers.batches import EVERYTHING, LEADS, Scoring, numbers, times


def test_redis_away_while_it_runs_costs_nothing_but_repeats(durable_valkey: EmbeddedValkey, make_settings: SettingsMaker) -> None:
    settings = make_settings(redis_url=durable_valkey.url)
    publisher = Publisher(settings)
    default.use(publisher)
    try:
        run_id = producers.generate_run_id()
        scoring = Scoring()
        score = scoring.score

        def and_restart(lead: str, tally: Tally) -> int:
            if lead == "a6":
                assert publisher.flush(20) == 0
                link = Link(durable_valkey.url, name="test")
                link.open()
                assert link.call("WAITAOF", 1, 0, 5000)[0] == 1
                link.close()
                durable_valkey.kill()
            if lead == "b4":
                durable_valkey.restart()
            return score(lead, tally)

        scoring.scorer = BatchScorer(leads_of=LEADS, score_lead=and_restart, chunk_size=3)
        result = scoring.scorer.run(LEADS, run_id=run_id)
        assert result.failed == {}
        assert numbers(settings) == EVERYTHING
        before = scoring.scored.copy()
        scoring.scorer = BatchScorer(leads_of=LEADS, score_lead=score, chunk_size=3)
        scoring.scorer.run(LEADS, run_id=run_id)
        assert numbers(settings) == EVERYTHING
        assert sum((scoring.scored - before).values()) <= 18
    finally:
        default.use(None)
        publisher.close()


def test_nothing_is_marked_before_its_counts_are_in_the_log(
    settings: Settings, publisher: Publisher, run_id: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Link(redis_url, name="test")
    link.open()
    key = keys.marks(keys.partition_of(run_id, settings.partitions), run_id)
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "flush", lambda *_: 1)
        Scoring().attempt(run_id)
        fields = link.call("HGETALL", key)[::2]
        assert {name for name in fields if not name.startswith(b"intended:")} == {b"service", b"until_ms"}
    Scoring().attempt(run_id)
    assert link.call("HLEN", key) == 2 + 4 + 2 + 1 + 3, "service, term, chunks of a, b and c, and the three of them; no intent is left"
    link.close()
    assert numbers(settings) == EVERYTHING


def test_what_the_publisher_did_not_take_is_not_marked_also_where_a_thread_writes_it(
    make_settings: SettingsMaker, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(redis_url=redis_url, durable=True)
    publisher = Publisher(settings)
    default.use(publisher)
    put = Publisher.put

    def refusing(own: Publisher, kind: str, subject: Subject, data: dict[str, Any], id: str | None = None) -> bool:
        return id is None and put(own, kind, subject, data, id)

    try:
        run_id = producers.generate_run_id()
        with monkeypatch.context() as patch:
            patch.setattr(Publisher, "put", refusing)
            asyncio.run(Scoring().scorer.run_async(["a"], run_id=run_id))
        assert numbers(settings) == {"a": 0}
        asyncio.run(Scoring(chunk_size=4).scorer.run_async(["a"], run_id=run_id))
        assert numbers(settings) == {"a": 10}
        assert times(settings) == dict.fromkeys(LEADS["a"], 1)
    finally:
        default.use(None)
        publisher.close()


def test_an_intent_that_could_not_be_kept_is_kept_with_the_next(publisher: Publisher, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: Link) -> int:
        raise StoreUnavailable("away")

    own, leads = Marks(publisher, run_id), [digest_of(number) for number in range(4)]
    with monkeypatch.context() as patch:
        patch.setattr(Link, "open", away)
        own.intend("a", "first", leads[:2])
    own.intend("a", "second", leads[2:])
    own.close()
    next_attempt = Marks(publisher, run_id)
    next_attempt.load()
    assert next_attempt.intents("a") == {"first": Counter(leads[:2]), "second": Counter(leads[2:])}
    next_attempt.close()


def test_redis_away_when_it_is_to_be_continued_is_said_before_anything_is_told(make_settings: SettingsMaker) -> None:
    publisher = Publisher(make_settings(redis_url="redis://127.0.0.1:1/0", drain_timeout_s=0))
    default.use(publisher)
    try:
        with pytest.raises(StoreUnavailable, match="run 250930-141522 is not continued, because Redis cannot be asked"):
            Scoring().scorer.run(LEADS, run_id="250930-141522")
        assert publisher.pending == 0
    finally:
        default.use(None)
        publisher.close()


def test_what_could_count_twice_is_not_continued(
    settings: Settings, make_settings: SettingsMaker, publisher: Publisher, run_id: str, redis_url: str
) -> None:
    with pytest.raises(RunNotContinued, match="could be continued until 2025-10-01 14:15 UTC"):
        Scoring().scorer.run(LEADS, run_id="250930-141522")
    assert publisher.pending == 0
    scoring = Scoring()
    scoring.attempt(run_id)
    link = Link(redis_url, name="test")
    link.open()
    key = keys.marks(keys.partition_of(run_id, settings.partitions), run_id)
    assert 172_000_000 < link.call("PTTL", key) <= 172_800_000
    default.use(Publisher(make_settings(redis_url=redis_url, service="another")))
    with pytest.raises(RunNotContinued, match="'runtally', this is 'another'"):
        scoring.attempt(run_id)
    default.use(publisher)
    link.call("HSET", key, "until_ms", int(time.time() * 1000) - 1)
    with pytest.raises(RunNotContinued, match="begin a new run"):
        scoring.attempt(run_id)
    link.close()
    assert numbers(settings) == EVERYTHING


def test_a_continued_run_keeps_its_term(settings: Settings, publisher: Publisher, redis_url: str) -> None:
    """What its first attempt may have emitted without a mark does not get younger by going on."""
    from datetime import UTC, datetime, timedelta

    run_id = from_datetime(datetime.now(UTC) - timedelta(hours=10))
    link = Link(redis_url, name="test")
    link.open()
    key = keys.marks(keys.partition_of(run_id, settings.partitions), run_id)
    scoring = Scoring()
    scoring.stop_at = "a7"
    scoring.attempt(run_id)
    term_ms = int(link.call("HGET", key, "until_ms"))
    assert abs(term_ms / 1000 - time.time() - 14 * 3600) < 60
    scoring.stop_at = None
    scoring.attempt(run_id)
    assert int(link.call("HGET", key, "until_ms")) == term_ms
    link.close()
