"""Fault: Redis at maxmemory, with the broker in it. What the log holds is folded and trimmed, and then there is room again."""

from __future__ import annotations

from faults.service.redis_full import fill_for

SEED = 7


def test_a_full_redis_drains_and_takes_events_again() -> None:
    verdict = fill_for(1, seed=SEED, producers=1)
    assert verdict["ok"], str(verdict)
    assert verdict["details"]["writes_refused"] > 0
