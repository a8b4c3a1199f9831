"""Making run IDs: UTC, and no two alike."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import RunIdInvalid
from contract.run_id import LocalIds, from_datetime, is_valid

NOON = datetime(2025, 9, 30, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time", "base"),
    [
        (NOON, "250930-120000"),
        (NOON + timedelta(microseconds=999_999), "250930-120000"),
        (datetime(2025, 10, 1, 1, 0, tzinfo=timezone(timedelta(hours=11))), "250930-140000"),
        (datetime(2000, 1, 1, tzinfo=UTC), "000101-000000"),
        (datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC), "991231-235959"),
    ],
)
def test_an_id_is_the_utc_time_of_the_start(time: datetime, base: str) -> None:
    assert from_datetime(time) == base


@pytest.mark.parametrize(
    "time",
    [
        NOON.replace(tzinfo=None),
        datetime(1999, 12, 31, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
        datetime(2100, 1, 1, 0, 30, tzinfo=timezone(timedelta(minutes=-30))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    ],
)
def test_a_time_that_two_digits_cannot_tell_is_refused(time: datetime) -> None:
    with pytest.raises(RunIdInvalid):
        from_datetime(time)


def test_two_runs_in_the_same_second_get_different_ids() -> None:
    ids = LocalIds()
    assert [ids.take(NOON) for _ in range(3)] == ["250930-120000", "250930-120001", "250930-120002"]
    assert ids.take(NOON + timedelta(seconds=1)) == "250930-120003"
    assert ids.take(NOON + timedelta(hours=1)) == "250930-130000"
    assert ids.take(NOON - timedelta(seconds=1)) == "250930-115959"
    assert ids.take(NOON - timedelta(seconds=1)) == "250930-120004"


def test_ids_stay_unique_when_threads_take_them_at_once() -> None:
    ids = LocalIds()
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda _: ids.take(NOON), range(2_000)))
    assert len(set(taken)) == 2_000
    assert all(map(is_valid, taken))


def test_ids_stay_unique_beyond_what_is_remembered() -> None:
    ids = LocalIds()
    spread = [ids.take(NOON + timedelta(seconds=10 * step)) for step in range(6_000)]
    again = [ids.take(NOON) for _ in range(50)]
    assert len({*spread, *again}) == 6_050
    assert len(ids._taken) == len(ids._oldest) <= 4_096


def test_a_child_forked_while_an_id_is_being_taken_is_not_stuck() -> None:
    ids = LocalIds()
    ids.take(NOON)
    with ids._lock:
        child = os.fork()
        if child == 0:
            os._exit(0 if ids.take(NOON) == "250930-120001" else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_the_century_ends_with_a_refusal() -> None:
    ids = LocalIds()
    last = datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert ids.take(last) == "991231-235959"
    with pytest.raises(RunIdInvalid):
        ids.take(last)


@given(st.lists(st.integers(0, 20)))
def test_any_order_of_times_gives_unique_ids_not_before_their_time(offsets: list[int]) -> None:
    ids = LocalIds()
    times = [NOON + timedelta(seconds=offset) for offset in offsets]
    taken = [ids.take(time) for time in times]
    assert len(set(taken)) == len(taken)
    assert all(base >= from_datetime(time) for base, time in zip(taken, times, strict=True))


def test_importing_needs_the_standard_library_only() -> None:
    program = (
        "import sys, contract.run_id, contract.status; sys.exit(any(m in sys.modules for m in ('redis', 'pydantic', 'msgspec', 'celery')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
