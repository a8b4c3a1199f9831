"""Fault: the clock of one producer or one worker jumps by days, or drifts. Numbers are exact; the server's clock says who is alive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.celery_worker import start_beat, start_worker
from benchmarks.children import Children, wait_until
from benchmarks.stage import Stage, stage
from contract.status import Status
from faults.producers.clocks import library, producer_trial, worker_trial, wrong_clock
from faults.producers.counting import REGISTRY
from faults.producers.told import RUN
from producers.publisher import Publisher
from worker.store.reader import Reader

pytestmark = pytest.mark.skipif(
    library() is None, reason="FAULT 14 IS NOT TESTED HERE: libfaketime is missing. apt-get install faketime, and run again"
)

SEED = 14
DAY_S = 86_400


@pytest.fixture
def place() -> Iterator[Stage]:
    with stage() as place:
        yield place


@pytest.mark.parametrize(
    ("shift", "then_days", "off_days"), [("+3d", None, 3), ("-3d", None, -3), ("+0", 3, 0), ("+0", -3, -3), ("+0 x3", None, 0)]
)
def test_a_producer_with_a_wrong_clock_is_counted_exactly_and_not_taken_for_dead(
    place: Stage, shift: str, then_days: int | None, off_days: int
) -> None:
    found = producer_trial(place, shift, then_days)
    assert found.accepted >= 300
    assert (found.lost, found.doubled, found.silent) == (0, 0, 0)
    assert found.seen_off_s < 60
    # Times that a row shows are those that its events tell: the producer's.
    assert abs(found.start_off_s - off_days * DAY_S) < 120


@pytest.mark.parametrize(("shift", "then"), [("+3d", "-3d"), ("-3d", "+0"), ("+0 x3", "+2d")])
def test_a_worker_with_a_wrong_clock_beside_a_right_one_folds_exactly_and_keeps_to_the_leases(place: Stage, shift: str, then: str) -> None:
    assert worker_trial(place, shift, then, events=4_000, seed=SEED) == []


@pytest.mark.parametrize("shift", ["+0", "-1h", pytest.param("+1h")])
def test_a_worker_whose_clock_is_not_beats_still_does_what_beat_asks_for(place: Stage, shift: str) -> None:
    publisher = Publisher(place.settings(spool_dir=place.children.folder / "spool"))
    publisher.emit("client.run.started", {"run_id": RUN, "client_id": "a"})
    assert publisher.close() == 0
    reader = Reader(place.link, place.settings().partitions, REGISTRY)
    environment = {"RUNTALLY_STALE_AFTER_S": "1"}
    with wrong_clock(place.url, shift, **environment) as clock, Children({"RUNTALLY_REDIS_URL": place.url, **environment}) as right:
        worker = start_worker(clock.children)
        wait_until("the event folded", 20, worker, lambda: reader.clients(RUN))
        start_beat(right)
        log = Path(str(worker.log))  # type: ignore[attr-defined]
        wait_until("the sweep", 30, worker, lambda: reader.clients(RUN)[0].status is Status.FAILED or b"revoked" in log.read_bytes())
        assert reader.clients(RUN)[0].status is Status.FAILED, "the worker has dropped the sweep as expired"
