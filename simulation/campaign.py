"""Many schedules, one after another, until one fails, their number is reached or the time is up."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from simulation.mutations import MUTATIONS
from simulation.patches import STANDING, patched
from simulation.schedule import Outcome, play


@dataclass(frozen=True, slots=True)
class Campaign:
    """What came of it. `failure`: the first schedule that violated an invariant, played again with its trace."""

    mutation: str | None
    schedules: int
    steps: int
    events: int
    seconds: float
    failure: Outcome | None

    @property
    def per_minute(self) -> float:
        """Schedules a minute, here."""
        return 60 * self.schedules / max(self.seconds, 1e-9)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which schedules to play: `seed`, `seed` + 1, … `focus`: one of mix.FOCUSES."""

    seed: int
    schedules: int
    seconds: float = 1e9
    mutation: str | None = None
    focus: str = "all"

    def play(self, seed: int, *, traced: bool = False) -> Outcome:
        """One of them."""
        return play(seed, traced=traced, focus=self.focus)


def run(plan: Plan) -> Campaign:
    """Play a plan's schedules. Raises KeyError for a mutation or a focus that does not exist."""
    began, steps, events, played = time.perf_counter(), 0, 0, 0
    failure: Outcome | None = None
    with patched(STANDING), patched(MUTATIONS[plan.mutation]() if plan.mutation else []), one_core():
        for seed in range(plan.seed, plan.seed + plan.schedules):
            outcome = plan.play(seed)
            played += 1
            steps += outcome.steps
            events += outcome.events
            if outcome.violation is not None:
                failure = plan.play(seed, traced=True)
                break
            if time.perf_counter() - began >= plan.seconds:
                break
    return Campaign(plan.mutation, played, steps, events, time.perf_counter() - began, failure)


@contextmanager
def one_core() -> Iterator[None]:
    """Actors take turns, so a second core only makes the handing over slower: four times, measured. Several campaigns share the cores."""
    cores = sorted(os.sched_getaffinity(0))
    try:
        os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})
        yield
    finally:
        os.sched_setaffinity(0, cores)
