"""Fault: a disk is full, that of Redis' append-only file or that of the spool. What was accepted is counted once there is space."""

from __future__ import annotations

import random

import pytest

from faults.producers import disk_full_spool
from faults.producers.disk_full_aof import trial
from faults.producers.small_disk import allowed

SEED = 13
WHY_NOT = allowed()

pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"FAULT 13 IS NOT TESTED HERE: a small disk needs root and mount: {WHY_NOT}")


@pytest.mark.parametrize("delivery", ["appended", "fsynced"])
def test_events_wait_while_the_log_refuses_and_are_counted_once_there_is_space(delivery: str) -> None:
    found = trial(delivery=delivery, full_s=1.0, rng=random.Random(SEED))  # noqa: S311
    assert found.counted == found.emitted >= 300
    assert found.recovered_s < 15
    assert found.gaps == 0


def test_a_full_spool_refuses_what_has_no_place_and_drains_without_any() -> None:
    verdict = disk_full_spool.run(SEED, seconds=2)
    assert verdict["ok"], str(verdict)
