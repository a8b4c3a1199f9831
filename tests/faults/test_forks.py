"""Fault: a producer forks in mid-emit. What was accepted in any process that ended orderly is counted once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.stage import Stage, stage
from faults.producers.forking import CHILDREN, COLD, WAYS
from faults.producers.forks import celery_trial, gunicorn_trial, trial

SEED = 11


@pytest.fixture
def place() -> Iterator[Stage]:
    with stage() as place:
        yield place


@pytest.mark.parametrize("way", [way for way in WAYS if way not in COLD])
def test_what_parents_and_children_were_told_is_counted_once(place: Stage, way: str) -> None:
    found = trial(place, way, SEED)
    assert found.faults == ()
    assert found.processes >= (3 if way in ("pool", "mp_spawn") else 1 + CHILDREN // 2)
    assert (found.lost, found.doubled, found.left) == (0, 0, 0)


@pytest.mark.parametrize("way", COLD)
def test_a_fork_while_the_producer_is_being_loaded_harms_no_child(place: Stage, way: str) -> None:
    found = trial(place, way, SEED)
    assert found.faults == ()
    assert (found.lost, found.doubled, found.left) == (0, 0, 0)


def test_the_children_of_a_celery_prefork_worker_lose_nothing_at_a_warm_shutdown(place: Stage) -> None:
    found = celery_trial(place, tasks=80)
    assert found.faults == ()
    assert found.processes >= 3
    assert (found.lost, found.doubled) == (0, 0)


def test_gunicorn_with_preload_loses_nothing_of_its_master_and_its_workers(place: Stage) -> None:
    found = gunicorn_trial(place, requests=60)
    assert found.faults == ()
    assert found.processes >= 2, "the master and a worker at least"
    assert found.accepted >= 5 * 61
    assert (found.lost, found.doubled) == (0, 0)
