"""Fault: a process ends, in every way there is. The ledger is a file beside it, so that no end takes it along."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from benchmarks.stage import Stage, stage
from faults.producers.exits import CODES, ORDERLY, SUDDEN, WINDOW_S, trial

SEED = 12


@pytest.fixture(scope="module")
def place() -> Iterator[Stage]:
    with stage() as place:
        yield place


@pytest.mark.parametrize("way", ORDERLY)
def test_a_process_that_ends_orderly_loses_nothing_of_what_was_accepted(place: Stage, way: str) -> None:
    found = trial(place, way, durable=False, seed=SEED)
    assert found.exit_code == CODES.get(way, -signal.SIGTERM), way
    assert found.accepted >= 300
    assert (found.lost, found.doubled) == (0, 0)


@pytest.mark.parametrize("way", SUDDEN)
def test_a_process_that_ends_at_once_loses_at_most_the_linger_window(place: Stage, way: str) -> None:
    found = trial(place, way, durable=False, seed=SEED)
    assert found.exit_code == CODES.get(way, -signal.SIGKILL), way
    assert found.doubled == 0
    assert found.lost == 0 or found.window_s < WINDOW_S


@pytest.mark.parametrize("way", SUDDEN)
def test_a_process_that_ends_at_once_loses_nothing_that_was_durable(place: Stage, way: str) -> None:
    found = trial(place, way, durable=True, seed=SEED)
    assert found.accepted >= 300
    assert (found.lost, found.doubled) == (0, 0)


def test_sigterm_ends_a_process_like_sigkill_where_the_main_thread_never_met_the_publisher(place: Stage) -> None:
    """Python lets only the main thread handle signals: made and used elsewhere alone, a publisher cannot hear of it."""
    found = trial(place, "sigterm_first_in_thread", durable=False, seed=SEED)
    assert found.exit_code == -signal.SIGTERM
    assert found.doubled == 0
    assert found.lost == 0 or found.window_s < WINDOW_S
