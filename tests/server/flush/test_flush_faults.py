"""Airtable's bad days: rows are right after it returns, none stands there twice, and the limit is never broken."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from contract import keys
from contract.link import Link
from contract.settings import load_settings
from worker.flush.airtable import Airtable
from worker.flush.flusher import Pace, flush
from worker.flush.limiter import Limiter

from .conftest import FAST, RUN, TOKEN, World


def flush_until_clean(world: World, within_s: float = 15) -> None:
    """Flush as beat does, until nothing is dirty."""
    deadline = time.monotonic() + within_s
    while world.dirty():
        assert time.monotonic() < deadline, f"still dirty: {world.dirty()}"
        world.flush()


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize("when", ["before", "after"])
def test_server_errors(world: World, status: int, when: str) -> None:
    world.job(stream=1)
    for n in range(15):
        world.client(f"c{n}", metrics={"Errors": n})
    world.sandbox.fault("status", status=status, when=when, count=2)
    flush_until_clean(world)
    assert world.jobs()[RUN]["Stream"] == 1
    assert sorted(row["Errors"] for row in world.clients().values()) == list(range(15))


@pytest.mark.parametrize("kind", ["reset", "hang", "garbage"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_answers_that_do_not_come(world: World, kind: str, when: str) -> None:
    world.job(stream=1)
    for n in range(5):
        world.client(f"c{n}", metrics={"Errors": n})
    world.sandbox.fault(kind, when=when, count=1)
    flush_until_clean(world)
    assert list(world.jobs()) == [RUN]
    assert sorted(row["Errors"] for row in world.clients().values()) == list(range(5))


def test_rows_of_unknown_outcome_are_left_alone_until_the_request_can_no_longer_land(world: World) -> None:
    row = world.job(stream=1)
    world.sandbox.fault("reset", when="after", count=1)
    world.flush(pace=Pace(quarantine_s=60, lockout_s=0.5))
    world.sandbox.reset_counters()
    world.change(row, stream=2)
    report = world.flush()
    assert (report.ending, report.waiting) == ("clean", 1)
    assert world.calls() == 0, "a change does not shorten the wait"
    partition = keys.partition_of(RUN, 4)
    world.link.call("ZADD", keys.dirty(partition), 0, RUN)
    world.flush()
    assert world.jobs()[RUN]["Stream"] == 2


def test_a_request_that_is_interrupted_leaves_its_rows_in_quarantine(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by Celery's soft time limit, whose exception strikes anywhere."""

    def interrupted(*_: Any, **__: Any) -> list[str]:
        raise KeyboardInterrupt

    world.job()
    monkeypatch.setattr(Airtable, "upsert", interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.flush(pace=Pace(quarantine_s=60))
    monkeypatch.undo()
    assert world.flush().waiting == 1
    assert world.jobs() == {}


def test_a_flusher_killed_in_mid_request_leaves_one_row_and_the_next_one_goes_on(world: World) -> None:
    world.job(stream=1)
    world.sandbox.fault("latency", latency_ms=600, count=1)
    program = (
        "from contract.link import Link; from contract.registry import load_registry; from contract.settings import load_settings;"
        "from worker.flush.flusher import Pace, flush;"
        "settings = load_settings(); link = Link(settings.redis_url.get_secret_value(), name='to-be-killed'); link.open();"
        "flush(settings, link, load_registry(), lambda: False, 30, pace=Pace(lease_s=3, quarantine_s=2))"
    )
    settings = world.settings
    environment = {
        "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
        "RUNTALLY_PARTITIONS": str(settings.partitions),
        "RUNTALLY_AIRTABLE_URL": settings.airtable_url,
        "RUNTALLY_AIRTABLE_TOKEN": TOKEN,
        "RUNTALLY_AIRTABLE_BASE_ID": world.base_id,
        "RUNTALLY_AIRTABLE_TIMEOUT_S": "1",
    }
    victim = subprocess.Popen([sys.executable, "-c", program], env=environment, cwd=Path(__file__).parents[3])
    deadline = time.monotonic() + 20
    while world.calls() == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    victim.kill()
    victim.wait()
    assert world.flush().ending == "held", "until the dead one's lease has ended"
    flush_until_clean(world)
    assert world.jobs()[RUN]["Stream"] == 1


def test_three_unknown_outcomes_in_a_row_end_the_flush(world: World) -> None:
    for n in range(60):
        world.client(f"c{n}")
    world.sandbox.fault("status", status=500)
    report = world.flush()
    assert (report.ending, report.unclear, report.waiting) == ("unclear", 3, 60)
    assert world.calls() == 3


def test_a_429_closes_the_base_and_the_flush_goes_on_after_the_lockout(world: World) -> None:
    world.job()
    world.sandbox.fault("status", status=429, count=1)
    started = time.monotonic()
    report = world.flush()
    assert (report.ending, report.busy, report.rows_written) == ("clean", 1, 1)
    assert time.monotonic() - started >= FAST.lockout_s


def test_a_429_makes_every_process_wait(world: World) -> None:
    world.job()
    world.sandbox.fault("status", status=429, count=1)
    report = world.flush(deadline_s=5, pace=Pace(lockout_s=30))
    assert report.ending == "deadline", "nobody waits for what comes after the deadline"
    other = Limiter(world.link, world.base_id, unseen_s=1)
    assert other.take(other.ticket()) > 25
    assert world.dirty() == {RUN}


def test_a_spent_month_is_said_and_not_retried(world: World) -> None:
    world.job()
    world.sandbox.set_limits(calls_per_month=1)
    world.flush()
    world.change(world.job(), stream=2)
    assert world.flush().ending == "spent"
    assert world.dirty() == {RUN}
    world.sandbox.reset_counters()
    assert world.flush().ending == "spent"
    assert world.calls() == 0, "nothing is sent until the month turns, or six hours have passed"
    assert world.counter("budget_100") == 1, "said once"


def test_retry_after_is_honoured(world: World) -> None:
    world.job()
    world.sandbox.fault("status", status=503, count=1, retry_after_s=1)
    started = time.monotonic()
    assert world.flush().ending == "clean"
    assert time.monotonic() - started >= 1.0


def test_an_airtable_that_is_away_loses_nothing(world: World) -> None:
    row = world.job(stream=1)
    there = world.settings
    world.settings = load_settings(_env_file=None, **(there.model_dump() | {"airtable_url": "http://127.0.0.1:9"}))
    report = world.flush(deadline_s=2)
    assert report.ending in {"deadline", "busy"}
    assert report.busy >= 1
    assert world.dirty() == {RUN}
    world.settings = there
    world.change(row, stream=2)
    world.flush()
    assert world.jobs()[RUN]["Stream"] == 2


def test_a_bad_day_ends_with_true_tables(world: World) -> None:
    """All faults at once, while rows change."""
    for kind in ("reset", "garbage"):
        for when in ("before", "after"):
            world.sandbox.fault(kind, when=when, probability=0.1)
    world.sandbox.fault("status", status=500, when="after", probability=0.1)
    world.sandbox.fault("status", status=503, probability=0.1)
    jobs = [world.job(run=f"250930-1415{n:02d}") for n in range(12)]
    clients = [world.client(f"c{n}", run=job.run) for n, job in enumerate(jobs * 2)]
    for turn in range(4):
        for n, row in enumerate(clients):
            world.change(row, metrics={"Errors": turn * 100 + n})
        world.flush(deadline_s=3)
    world.sandbox.clear_faults()
    flush_until_clean(world)
    written = world.clients()
    assert {row_id: row["Errors"] for row_id, row in written.items()} == {row.row_id: 300 + n for n, row in enumerate(clients)}
    records = {run: row["record_id"] for run, row in world.jobs().items()}
    assert all(written[row.row_id]["Job"] == [records[row.run]] for row in clients)
    assert world.sandbox.counters()["most_calls_in_one_s"] <= 5


def test_two_processes_share_one_limit(world: World) -> None:
    """One flushes, the other sends through the limiter as `verify` and `airtable check` do."""
    for n in range(150):
        world.client(f"c{n}")
    ended = threading.Event()

    def other() -> None:
        link = Link(world.settings.redis_url.get_secret_value(), name="other")
        link.open()
        limiter, airtable = Limiter(link, world.base_id, unseen_s=5), Airtable(world.settings)
        while not ended.is_set():
            ticket = limiter.ticket()
            wait_s = limiter.take(ticket)
            if wait_s:
                ended.wait(wait_s)
                continue
            airtable.shape()
            limiter.done(ticket)
        airtable.close()
        link.close()

    thread = threading.Thread(target=other)
    thread.start()
    try:
        report = flush(world.settings, world.link, world.registry, lambda: False, 20, pace=FAST)
    finally:
        ended.set()
        thread.join()
    counters = world.sandbox.counters()
    assert report.rows_written == 150
    assert counters["calls_by_endpoint"]["GET /v0/meta/bases/*/tables"] > 1
    assert counters["most_calls_in_one_s"] <= 5
    assert counters["rate_limited"] == 0
