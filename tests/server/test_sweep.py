"""Nothing stays Running for ever: silent runs are closed, and a sign of life keeps or brings them back."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract import keys
from contract.link import Link
from contract.settings import Settings
from contract.status import Status
from producers.publisher import Publisher
from producers.runs import Job
from tests.building import REGISTRY, RUN
from worker.consume import Consumer
from worker.rows import Row
from worker.store.reader import Reader
from worker.sweep import sweep

ROOT = Path(__file__).parents[2]


class Place:
    """A server with a sweeper and a consumer, both at hand. Rows are made to look silent by moving their last sign of life back."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.link = Link(settings.redis_url.get_secret_value(), name="test")
        self.link.open()
        self.partition = keys.partition_of(RUN, settings.partitions)
        self.publisher = Publisher(settings)
        self._consumer = Consumer(settings, REGISTRY, self.partition)
        self._reader = Reader(self.link, settings.partitions, REGISTRY)

    def fold(self) -> None:
        assert self.publisher.flush() == 0
        self._consumer.turn()

    def sweep(self) -> int:
        closed = sweep(self.link, self.settings)
        self._consumer.turn()
        return closed

    def row(self, client: str | None = None) -> Row:
        row = self._reader.job(RUN) if client is None else next(row for row in self._reader.clients(RUN) if row.client == client)
        assert row is not None
        return row


@pytest.fixture
def place(make_settings: Callable[..., Settings], redis_url: str) -> Iterator[Place]:
    place = Place(make_settings(redis_url=redis_url, stale_after_s=0.2))
    yield place
    place.publisher.close()
    place.link.close()


def silence(seconds: float = 0.25) -> None:
    """Let the server's clock go on: what is tested is that it, and nothing else, decides."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_silent_run_is_closed_with_a_note_and_its_job_too(place: Place) -> None:
    place.publisher.emit("job.started", {"run_id": RUN})
    place.publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": {"leads_processed": 3}})
    place.publisher.emit("client.run.completed", {"run_id": RUN, "client_id": "b", "success": True, "metrics": {"leads_processed": 1}})
    place.fold()
    assert place.sweep() == 0
    end = place.row("a").end
    silence()
    assert place.sweep() == 2
    assert (place.row("a").status, place.row("b").status, place.row().status) == (Status.FAILED, Status.COMPLETED, Status.FAILED)
    assert "closed as Failed: no event for" in place.row("a").notes[-1]
    assert "never said that it was complete" in place.row().notes[-1]
    assert place.row("a").end == end, "End Time is the last real event"
    assert place.sweep() == 0


def test_a_late_event_opens_it_again_and_its_completion_counts(place: Place) -> None:
    place.publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": {"leads_processed": 3}})
    place.fold()
    silence()
    place.sweep()
    place.publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": {"leads_processed": 1}})
    place.fold()
    assert (place.row("a").status, place.row().status) == (Status.RUNNING, Status.RUNNING)
    place.publisher.emit("client.run.completed", {"run_id": RUN, "client_id": "a", "success": True})
    place.publisher.emit("job.completed", {"run_id": RUN, "success": True})
    place.fold()
    assert (place.row("a").status, place.row().status) == (Status.COMPLETED, Status.COMPLETED)
    assert place.row().metrics == {"Leads Processed": 4}


def test_an_event_that_waits_in_the_log_voids_the_expiry(place: Place) -> None:
    place.publisher.emit("client.run.started", {"run_id": RUN, "client_id": "a"})
    place.fold()
    silence()
    place.publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": {"leads_processed": 1}})
    assert place.publisher.flush() == 0
    assert place.sweep() == 2
    assert (place.row("a").status, place.row().status) == (Status.RUNNING, Status.RUNNING)
    assert place.row("a").notes == []


def test_heartbeats_keep_a_quiet_block_alive_and_write_nothing_to_airtable(place: Place) -> None:
    with Job(place.publisher, RUN, "quiet", None, None) as job, job.client("a") as run:
        run.count(leads_processed=1)
        place.fold()
        version = place.row("a").version
        place.link.call("DEL", keys.dirty(place.partition))
        for _ in range(4):
            silence(0.1)
            place.fold()
            assert place.sweep() == 0
        assert place.row("a").version == version
        assert place.link.call("EXISTS", keys.dirty(place.partition)) == 0
    place.fold()
    assert place.row().status is Status.COMPLETED
    published = place.publisher.counters["published"]
    silence()
    assert place.sweep() == 0
    assert (place.publisher.pending, place.publisher.counters["published"]) == (0, published), "no heartbeat after the end"


def test_a_killed_producer_is_closed_by_the_worker_and_beat(make_settings: Callable[..., Settings], redis_url: str, tmp_path: Path) -> None:
    """End to end: a scorer dies by SIGKILL in mid-run; beat and worker close its run without anybody's help."""
    environment = {**os.environ, "RUNTALLY_REDIS_URL": redis_url, "RUNTALLY_STALE_AFTER_S": "2", "PYTHONPATH": str(ROOT)}
    program = f"""
import os, producers
with producers.job("doomed", run_id={RUN!r}) as job, job.client("a") as run:
    run.count(leads_processed=7)
    producers.flush()
    os.kill(os.getpid(), 9)
"""
    command = [sys.executable, "-m", "celery", "-A", "worker"]
    log = (tmp_path / "log").open("wb")
    running: list[subprocess.Popen[Any]] = []
    link = Link(redis_url, name="test")
    link.open()
    reader = Reader(link, 8, REGISTRY)
    try:
        for words in (["worker", "--without-mingle", "--without-gossip"], ["beat", "--schedule", str(tmp_path / "beat"), "--pidfile="]):
            running.append(subprocess.Popen([*command, *words], env=environment, cwd=tmp_path, stdout=log, stderr=log))
        assert subprocess.run([sys.executable, "-c", program], env=environment, cwd=tmp_path, timeout=60, check=False).returncode == -9
        deadline = time.monotonic() + 40
        while (job := reader.job(RUN)) is None or job.status is Status.RUNNING:
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()[-2000:]
            time.sleep(0.05)
        assert job.status is Status.FAILED
        assert job.metrics == {"Leads Processed": 7}
    finally:
        for process in running:
            process.kill()
            process.wait(10)
        link.close()
        log.close()
