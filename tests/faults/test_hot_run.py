"""Fault: one run gets all the events. Its totals are exact, and the worker's memory does not grow with their number."""

from __future__ import annotations

from benchmarks.stage import stage
from faults.producers.hot_run import trial

SEED = 20
MOST_MIB = 300.0
"""The worker has up to 16,000 events in hand; they are the same number in each round."""


def test_a_hot_run_with_a_thousand_clients_is_exact_in_bounded_memory() -> None:
    with stage() as place:
        heat = trial(place, events=30_000, clients=1_000, round_events=10_000, seed=SEED)
    assert (heat.lost, heat.doubled, heat.faults) == (0, 0, [])
    assert heat.events == 30_000
    assert heat.peak_mib < MOST_MIB
    assert heat.peak_mib < heat.first_mib * 1.5
    assert heat.rate > 1_000
