"""A batch goes on with other chunks than it began with: each lead counts once, wherever it was cut off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from contract.settings import Settings
from producers.batch_scorer import BatchScorer, Tally
from tests.server.scorers.batches import LEADS, Scoring, Stop, counted, numbers, times

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("change", "chunk_size"),
    [
        (lambda leads: leads, 4),
        (lambda leads: ["a99", *leads], 3),
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
    leads = ["x0", "y0", "x0", "y0", "x0", "z0"]
    first = Scoring({"a": leads}, chunk_size=2)
    first.stop_at = "z0"
    with pytest.raises(Stop):
        first.scorer.run(["a"], run_id=run_id)
    second = Scoring({"a": leads}, chunk_size=2)
    second.scorer.run(["a"], run_id=run_id)
    assert second.scored == {"x0": 1, "z0": 1}
    assert numbers(settings) == {"a": 6}


PROGRAM = """
import json, os, signal, sys
from producers.batch_scorer import BatchScorer
from producers.default import publisher
from producers.runs import ClientRun
from producers.scoring import marks
from producers.scoring.marks import Marks

marks._PATIENCE_S = 60  # each chunk is marked before the next, however busy the machine is
run_id, moment, chunk, chunk_size, leads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), json.loads(sys.argv[5])
owner, name = {"its event and its mark": (Marks, "finish_chunk"), "its intent and its event": (ClientRun, "tell_through")}[moment]
verb = getattr(owner, name)
begun = 0

def die_at(*args, **more):
    global begun
    begun += 1
    if begun == chunk:
        assert publisher().flush(60) == 0
        os.kill(os.getpid(), signal.SIGKILL)
    return verb(*args, **more)

setattr(owner, name, die_at)

def score(lead, tally):
    tally.tokens(prompt=16 ** int(lead[1:]), total=1)
    return 1

BatchScorer(leads_of={"a": leads}, score_lead=score, chunk_size=chunk_size).run(["a"], run_id=run_id)
"""

MOMENTS = ["its event and its mark", "its intent and its event"]


def killed(settings: Settings, folder: Path, run_id: str, moment: str, chunk: int, chunk_size: int, leads: list[str]) -> None:
    """A process works on the batch and kills itself between two steps of a chunk, counted from 1. What it told before is in the log."""
    environment = {**os.environ, "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, run_id, moment, str(chunk), str(chunk_size), json.dumps(leads)]
    done = subprocess.run(command, env=environment, cwd=folder, timeout=100, check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    ("change", "chunk_size"),
    [
        (lambda leads: leads, 3),
        (lambda leads: leads, 10),
        (lambda leads: list(reversed(leads)), 4),
        (lambda leads: Random(1).sample(leads, len(leads)), 3),  # noqa: S311  # not for secrets
        (lambda leads: ["a10", "a11", *leads], 4),
        (lambda leads: [*leads, "a10"], 4),
        (lambda leads: leads[8:] + leads[:4], 1),
    ],
    ids=["smaller chunks", "larger chunks", "backwards", "shuffled and smaller", "new ones in front", "a new one behind", "finished gone"],
)
def test_a_chunk_that_was_killed_counts_once_however_the_rest_is_cut(
    settings: Settings, run_id: str, tmp_path: Path, moment: str, change: Callable[[list[str]], list[str]], chunk_size: int
) -> None:
    leads = LEADS["a"]
    killed(settings, tmp_path, run_id, moment, 3, 4, leads)
    once = dict.fromkeys(leads if moment == MOMENTS[0] else leads[:8], 1)
    assert times(settings) == once
    again = change(leads)
    second = Scoring({"a": again}, chunk_size)
    assert second.scorer.run(["a"], run_id=run_id).failed == {}
    assert set(second.scored) == set(again) - set(leads[:8]), "the chunk that was cut off is scored again, and nothing that is marked"
    assert times(settings) == dict.fromkeys(leads, 1) | dict.fromkeys(again, 1)
    assert second.scorer.run(["a"], run_id=run_id).finished_before == ["a"]


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_with_other_chunks_each_time_each_lead_counts_once(
    settings: Settings, run_id: str, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)  # noqa: S311  # not for secrets
    leads = LEADS["a"]
    for moment in (*MOMENTS, *MOMENTS):
        leads = random.sample(leads, len(leads))
        killed(settings, tmp_path, run_id, moment, 1, random.randint(1, 3), leads)
    last = Scoring({"a": random.sample(leads, len(leads))}, random.randint(1, 6))
    assert last.scorer.run(["a"], run_id=run_id).failed == {}
    assert times(settings) == dict.fromkeys(leads, 1)


@pytest.mark.parametrize("moment", MOMENTS)
def test_of_a_killed_chunk_only_some_leads_come_again(settings: Settings, run_id: str, tmp_path: Path, moment: str) -> None:
    """As from a query for what has no score yet."""
    leads = LEADS["a"]
    killed(settings, tmp_path, run_id, moment, 2, 4, leads)
    scoring = Scoring({"a": leads[6:]}, 3)
    scoring.scorer.run(["a"], run_id=run_id)
    assert set(scoring.scored) == set(leads[6:])
    told_before = leads if moment == MOMENTS[0] else leads[:4]
    assert times(settings) == dict.fromkeys([*told_before, *leads[6:]], 1)


def test_what_was_cut_off_is_put_to_the_model_in_chunks_of_the_present_size(settings: Settings, run_id: str, tmp_path: Path) -> None:
    leads = LEADS["a"]
    killed(settings, tmp_path, run_id, MOMENTS[0], 1, 8, leads)
    seen: list[list[str]] = []

    def score_chunk(chunk: list[str], tally: Tally) -> None:
        seen.append(chunk)
        tally.scored(len(chunk))

    BatchScorer(leads_of={"a": leads}, score_chunk=score_chunk, chunk_size=3).run(["a"], run_id=run_id)
    assert seen == [leads[:3], leads[3:6], leads[6:8], leads[8:]]
    assert counted(settings)[1]["a"].metrics["Profiles Successfully Scored"] == 10
