"""Fault: the disk of Redis' append-only file is full. Writes are refused, publishers keep the events, and all are counted afterwards."""

from __future__ import annotations

import random

import pytest

from faults.producers.disk_full_aof import allowed, trial

SEED = 13
WHY_NOT = allowed()

pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"FAULT 13 IS NOT TESTED HERE: a small disk needs root and mount: {WHY_NOT}")


@pytest.mark.parametrize("delivery", ["appended", "fsynced"])
def test_events_wait_while_the_log_refuses_and_are_counted_once_there_is_space(delivery: str) -> None:
    found = trial(delivery=delivery, full_s=1.0, rng=random.Random(SEED))  # noqa: S311
    assert found.counted == found.emitted >= 300
    assert found.recovered_s < 15
    assert found.gaps == 0
