"""A batch that stopped goes on where it was: nothing finished is scored again, and nothing is counted twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from contract.settings import Settings
from contract.status import Status
from producers.batch_scorer import BatchScorer, Tally
from producers.scoring import marks
from producers.scoring.marks import Marks
from tests.server.scorers.batches import EVERYTHING, LEADS, Scoring, Stop, counted, numbers, times

ROOT = Path(__file__).parents[3]
LAST = marks._LAST_PATIENCE_S


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


@pytest.mark.parametrize("unkept", [["save"], ["save", "intend"]], ids=["marks", "marks and intents"])
def test_a_chunk_whose_counts_were_emitted_twice_counts_once(
    settings: Settings, run_id: str, monkeypatch: pytest.MonkeyPatch, unkept: list[str]
) -> None:
    """The crash comes after each emit and before each mark; perhaps Redis was away for the intents, too."""
    scoring = Scoring()
    with monkeypatch.context() as patch:
        for verb in unkept:
            patch.setattr(Marks, verb, lambda *_, **__: None)
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
    scoring = Scoring()
    crashing = True

    def around(verb: Callable[..., None]) -> Callable[..., None]:
        def crash(own: Marks, *args: Any) -> None:
            dice = random.random() if crashing else 1.0
            if dice < 0.1:
                raise Stop
            if args != (LAST,) or dice < 0.5:
                verb(own, *args)
            if dice < 0.2:
                raise Stop

        return crash

    for name in ("intend", "save"):
        monkeypatch.setattr(Marks, name, around(getattr(Marks, name)))
    for _ in range(6):
        scoring.cut_differently(random)
        scoring.stop_at = random.choice([None, *(lead for leads in LEADS.values() for lead in leads)])
        scoring.attempt(run_id)
    crashing, scoring.stop_at = False, None
    scoring.attempt(run_id)
    assert numbers(settings) == EVERYTHING
    assert {client: times(settings, client) for client in LEADS} == {client: dict.fromkeys(leads, 1) for client, leads in LEADS.items()}
    assert counted(settings)[0].status is Status.COMPLETED


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
