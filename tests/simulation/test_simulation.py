"""The design under composed faults: schedules without a violation, and each mutation of the design is noticed."""

from __future__ import annotations

import pytest

from simulation.campaign import Plan, run
from simulation.mutations import FOCUS, MUTATIONS

SEEDS_THAT_FAILED = [1756, 12026, 12619, 13116, 13467, 16963, 18253, 18440, 100391, 200264, 1010361, 4016384, 7005902]
"""Under the versions that docs/simulation.md names. A seed is another schedule once the code takes other steps."""

OF_THE_FLUSH = [850, 1365, 2557, 2605, 6834, 10087, 101951, 8500176]
"""The same, of flush schedules: rows whose request nobody saw answered did not wait as they should, or were not written once more."""

BEGIN = {"offset-unchecked": 30_000, "worker-trusts-old-connection": 30_000, "no-aftermath": 1_000_900}
"""Where to begin for mutations that few schedules notice; elsewhere it takes longer, not for ever."""


def test_schedules_come_to_rest_with_every_event_counted_once_and_no_stale_row() -> None:
    campaign = run(Plan(0, 2_000, seconds=5))
    assert campaign.failure is None, f"seed {campaign.failure.seed}: {campaign.failure.violation}" if campaign.failure else ""


@pytest.mark.parametrize("seed", SEEDS_THAT_FAILED)
def test_a_seed_that_failed_once_does_not_fail_again(seed: int) -> None:
    assert run(Plan(seed, 1)).failure is None


@pytest.mark.parametrize("seed", OF_THE_FLUSH)
def test_a_seed_of_the_flush_that_failed_once_does_not_fail_again(seed: int) -> None:
    assert run(Plan(seed, 1, focus="flush")).failure is None


def test_flush_schedules_leave_no_stale_row() -> None:
    campaign = run(Plan(0, 500, seconds=5, focus="flush"))
    assert campaign.failure is None, f"seed {campaign.failure.seed}: {campaign.failure.violation}" if campaign.failure else ""


def test_no_row_of_a_retired_run_comes_back() -> None:
    campaign = run(Plan(0, 500, seconds=5, focus="retire"))
    assert campaign.failure is None, f"seed {campaign.failure.seed}: {campaign.failure.violation}" if campaign.failure else ""


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_of_the_design_is_caught(name: str) -> None:
    plan = Plan(BEGIN.get(name, 0), 3_000, seconds=60, mutation=name, focus=FOCUS.get(name, "all"))
    assert run(plan).failure is not None


def test_a_seed_reprints_its_failure() -> None:
    first = run(Plan(0, 100, mutation="watermark-off-by-one")).failure
    assert first is not None
    again = run(Plan(first.seed, 1, mutation="watermark-off-by-one")).failure
    assert again is not None
    assert (again.violation, again.trace) == (first.violation, first.trace)
    assert again.trace
