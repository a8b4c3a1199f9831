"""A worker frozen with SIGSTOP for twice its lease, the commit in hand, then woken, while another consumes."""

from __future__ import annotations

from benchmarks.stage import stage
from faults.service.worker_frozen import freeze_and_wake

SEED = 4


def test_a_worker_frozen_past_its_lease_doubles_and_loses_nothing() -> None:
    with stage() as place:
        thaw = freeze_and_wake(place, seed=SEED, seconds=3, lease_s=0.5, most=2)
    assert (thaw.found.lost, thaw.found.doubled, thaw.found.corrupt, thaw.found.stale) == (0, 0, 0, 0), thaw.found.told
    assert thaw.freezes > 0
    assert thaw.refused > 0, "nobody overtook it: it was frozen for too short a time"
