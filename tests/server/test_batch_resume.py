"""A batch that stopped goes on where it was: nothing finished is scored again, and nothing is counted twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

import producers
from contract import keys
from contract.errors import RunNotContinued, StoreUnavailable
from contract.link import Link
from contract.run_id import from_datetime
from contract.settings import Settings
from contract.status import Status
from embedded import EmbeddedValkey
from producers import default
from producers.batch_scorer import BatchScorer, Tally
from producers.publisher import Publisher
from producers.scoring.marks import Marks
from tests.conftest import SettingsMaker
from tests.server.counted_runs import only_run
from worker.rows import ClientRow, JobRow

ROOT = Path(__file__).parents[2]
LEADS = {"a": [f"a{n}" for n in range(10)], "b": [f"b{n}" for n in range(5)], "c": [f"c{n}" for n in range(3)]}


class Stop(BaseException):
    """The end of an attempt, whatever it was at."""


class Scoring:
    """A scorer that says what it has scored, and stops at a lead if it is told to."""

    def __init__(self, leads: Any = LEADS, chunk_size: int = 3) -> None:
        self.scored: Counter[str] = Counter()
        self.stop_at: str | None = None
        self.scorer = BatchScorer(leads_of=leads, score_lead=self.score, chunk_size=chunk_size)

    def score(self, lead: str, tally: Tally) -> int:
        if lead == self.stop_at:
            raise Stop
        self.scored[lead] += 1
        tally.tokens(total=1)
        return 1

    def attempt(self, run_id: str | None = None) -> str:
        """Begin or continue a run; its ID."""
        try:
            return self.scorer.run(LEADS, run_id=run_id).run_id
        except Stop:
            assert run_id is not None
            return run_id


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    publisher = Publisher(settings)
    default.use(publisher)
    yield publisher
    default.use(None)
    assert publisher.close() == 0


@pytest.fixture
def run_id(publisher: Publisher) -> str:
    return producers.generate_run_id()


def counted(settings: Settings) -> tuple[JobRow, dict[str, ClientRow]]:
    assert producers.flush(20) == 0
    job, clients = only_run(settings)
    return job, {client.client: client for client in clients}


def numbers(settings: Settings) -> dict[str, int]:
    """Leads processed by client; scores and tokens must agree."""
    _, clients = counted(settings)
    found = {}
    for client, row in clients.items():
        found[client] = row.metrics.get("Leads Processed", 0)
        assert row.metrics.get("Profiles Successfully Scored", 0) == row.metrics.get("Profile Scoring Tokens", 0) == found[client]
    return found


EVERYTHING = {client: len(leads) for client, leads in LEADS.items()}


def test_finished_clients_and_chunks_are_not_scored_again(settings: Settings, run_id: str) -> None:
    scoring = Scoring()
    scoring.stop_at = "b4"
    scoring.attempt(run_id)
    assert counted(settings)[0].status is Status.FAILED
    assert numbers(settings) == {"a": 10, "b": 3}
    events = counted(settings)[1]["a"].events
    scoring.stop_at = None
    again = scoring.scorer.run(LEADS, run_id=run_id)
    assert numbers(settings) == EVERYTHING
    assert scoring.scored == Counter({lead: 1 for leads in LEADS.values() for lead in leads} | {"b3": 2}), "only the chunk that was cut"
    job, clients = counted(settings)
    assert (job.status, {row.status for row in clients.values()}) == (Status.COMPLETED, {Status.COMPLETED})
    assert (again.finished_before, list(again.clients)) == (["a"], ["b", "c"])
    assert clients["a"].events == events, "nothing is told of a client that was finished"
    assert scoring.scorer.run(LEADS, run_id=run_id).finished_before == ["a", "b", "c"]
    assert numbers(settings) == EVERYTHING


def test_a_client_that_failed_is_continued(settings: Settings, run_id: str) -> None:
    faulty = True

    def score_chunk(chunk: list[str], tally: Tally) -> None:
        if faulty and "a4" in chunk:
            raise ConnectionError("model away")
        tally.scored(len(chunk))
        tally.tokens(total=len(chunk))

    scorer = BatchScorer(leads_of=LEADS, score_chunk=score_chunk, chunk_size=3)
    assert list(scorer.run(LEADS, run_id=run_id).failed) == ["a"]
    assert numbers(settings) == EVERYTHING | {"a": 3}
    faulty = False
    assert scorer.run(LEADS, run_id=run_id).finished_before == ["b", "c"]
    assert numbers(settings) == EVERYTHING
    assert counted(settings)[1]["a"].status is Status.COMPLETED


def test_a_chunk_whose_counts_were_emitted_twice_counts_once(settings: Settings, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The crash comes after each emit and before each mark."""
    scoring = Scoring()
    with monkeypatch.context() as patch:
        patch.setattr(Marks, "save", lambda *_, **__: None)
        scoring.attempt(run_id)
    assert numbers(settings) == EVERYTHING
    scoring.attempt(run_id)
    assert set(scoring.scored.values()) == {2}
    assert numbers(settings) == EVERYTHING


@pytest.mark.parametrize("seed", range(12))
def test_stopped_anywhere_any_number_of_times_each_lead_counts_once(
    settings: Settings, run_id: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    random = Random(seed)  # noqa: S311  # not for secrets
    scoring = Scoring(chunk_size=random.randint(1, 6))
    save, crashing = Marks.save, True

    def crash(marks: Marks, wait_s: float | None = None) -> None:
        last = wait_s is not None and wait_s > 0
        dice = random.random() if crashing and not last else 1.0
        if dice < 0.1:
            raise Stop
        if not last or random.random() < 0.5:
            save(marks, wait_s)
        if dice < 0.2:
            raise Stop

    monkeypatch.setattr(Marks, "save", crash)
    for _ in range(6):
        scoring.stop_at = random.choice([None, *(lead for leads in LEADS.values() for lead in leads)])
        scoring.attempt(run_id)
    crashing, scoring.stop_at = False, None
    scoring.attempt(run_id)
    assert numbers(settings) == EVERYTHING
    assert counted(settings)[0].status is Status.COMPLETED


@pytest.mark.parametrize(
    ("change", "chunk_size"),
    [
        (lambda leads: leads, 4),
        (lambda leads: ["new", *leads], 3),
        (lambda leads: leads[6:], 3),
        (lambda leads: list(reversed(leads)), 2),
    ],
    ids=["another chunk size", "a new lead in front", "only what is left", "another order"],
)
def test_leads_that_come_otherwise_the_second_time(
    settings: Settings, run_id: str, change: Callable[[list[str]], list[str]], chunk_size: int
) -> None:
    first = Scoring({"a": LEADS["a"]}, chunk_size=3)
    first.stop_at = "a7"
    with pytest.raises(Stop):
        first.scorer.run(["a"], run_id=run_id)
    second = Scoring({"a": change(LEADS["a"])}, chunk_size)
    second.scorer.run(["a"], run_id=run_id)
    finished = {f"a{n}" for n in range(6)}
    assert set(second.scored) == set(change(LEADS["a"])) - finished
    assert numbers(settings) == {"a": 6 + len(second.scored)}


def test_the_same_leads_twice_in_a_list_are_continued_as_often(settings: Settings, run_id: str) -> None:
    leads = ["x", "y", "x", "y", "x", "z"]
    first = Scoring({"a": leads}, chunk_size=2)
    first.stop_at = "z"
    with pytest.raises(Stop):
        first.scorer.run(["a"], run_id=run_id)
    second = Scoring({"a": leads}, chunk_size=2)
    second.scorer.run(["a"], run_id=run_id)
    assert second.scored == {"x": 1, "z": 1}
    assert numbers(settings) == {"a": 6}


PROGRAM = """
import sys, time
from producers.batch_scorer import BatchScorer

def score(lead, tally):
    print(lead, flush=True)
    if sys.argv[2] == "slow":
        time.sleep(0.01)
    tally.tokens(total=1)
    return 1

leads = {client: [f"{client}{n}" for n in range(40)] for client in "ab"}
scorer = BatchScorer(leads_of=leads, score_lead=score, chunk_size=4)
print("failed", len(scorer.run(leads, run_id=sys.argv[1]).failed), flush=True)
"""


def test_a_killed_process_is_continued_by_another(settings: Settings, run_id: str, tmp_path: Path) -> None:
    environment = {**os.environ, "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(), "PYTHONPATH": str(ROOT)}

    def started(pace: str, folder: str) -> subprocess.Popen[str]:
        (tmp_path / folder).mkdir()
        command = [sys.executable, "-c", PROGRAM, run_id, pace]
        return subprocess.Popen(command, env=environment, cwd=tmp_path / folder, text=True, stdout=subprocess.PIPE)

    first = started("slow", "one")
    assert first.stdout is not None
    seen = []
    while len(seen) < 50:
        seen.append(first.stdout.readline().strip())
    first.send_signal(signal.SIGKILL)
    seen += first.stdout.read().split()
    first.wait()
    second = started("fast", "another-machine")
    out, _ = second.communicate(timeout=60)
    again = out.split()
    assert again[-2:] == ["failed", "0"]
    assert len(again) - 2 < 60, "finished chunks are not scored again"
    assert set(seen) | set(again[:-2]) == {f"{client}{n}" for client in "ab" for n in range(40)}
    assert numbers(settings) == {"a": 40, "b": 40}


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
        assert link.call("EXISTS", key) == 0
    Scoring().attempt(run_id)
    assert link.call("HLEN", key) == 2 + 4 + 2 + 1 + 3, "service, term, chunks of a, b and c, and the three of them"
    link.close()
    assert numbers(settings) == EVERYTHING


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
