"""The real Celery worker and beat, as processes: what was emitted becomes rows, with or without doorbells and messages."""

from __future__ import annotations

import os
import signal
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
from producers.publisher import Publisher
from tests.building import REGISTRY
from worker.store.reader import Reader

ROOT = Path(__file__).parents[2]
RUN = "250930-141522"


def eventually(holds: Callable[[], Any], within_s: float = 30.0) -> None:
    """Wait until something holds; fails with what it last was."""
    deadline = time.monotonic() + within_s
    while not (last := holds()):
        assert time.monotonic() < deadline, f"still {last!r} after {within_s} s"
        time.sleep(0.02)


class Processes:
    """Celery's processes for one server."""

    def __init__(self, url: str, folder: Path) -> None:
        self._environment = {**os.environ, "RUNTALLY_REDIS_URL": url, "PYTHONPATH": str(ROOT)}
        self._folder = folder
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{words[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "worker", *words], env=self._environment, cwd=self._folder, stdout=log, stderr=log
            )
        self.started.append(process)
        return process

    def worker(self) -> subprocess.Popen[bytes]:
        return self.start("worker", "--without-mingle", "--without-gossip")

    def beat(self) -> subprocess.Popen[bytes]:
        return self.start("beat", "--schedule", str(self._folder / "beat"), "--pidfile=")

    def end(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait(10)


@pytest.fixture
def processes(redis_url: str, tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(redis_url, tmp_path)
    yield processes
    processes.end()


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


def counted(reader: Reader) -> int:
    job = reader.job(RUN)
    return 0 if job is None else int(job.metrics.get("Leads Processed", 0))


def emit(settings: Settings, number: int) -> None:
    publisher = Publisher(settings)
    for n in range(number):
        publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": f"c{n % 3}", "metrics": {"leads_processed": 1}})
    assert publisher.close() == 0


def test_a_worker_without_beat_hears_the_doorbell_and_stops_at_sigterm(settings: Settings, processes: Processes, link: Link) -> None:
    worker = processes.worker()
    reader = Reader(link, settings.partitions, REGISTRY)
    emit(settings, 500)
    eventually(lambda: counted(reader) == 500)
    emit(settings, 500)
    eventually(lambda: counted(reader) == 1000)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0


def test_an_append_without_a_doorbell_and_a_lost_message_are_counted_all_the_same(
    settings: Settings, processes: Processes, link: Link
) -> None:
    processes.worker()
    processes.beat()
    reader = Reader(link, settings.partitions, REGISTRY)
    emit(settings, 3)
    eventually(lambda: counted(reader) == 3)
    # As any language may write it: one entry, no bell.
    event = (
        f'{{"specversion":"1.0","id":"x1","source":"/curl","type":"client.metrics.updated","subject":"{RUN}-c1",'
        '"data":{"metrics":{"leads_processed":4}}}'
    )
    link.call("XADD", keys.log(keys.partition_of(RUN, settings.partitions)), "*", "batch", f"[{event}]")
    eventually(lambda: counted(reader) == 7)
    # The broker is emptied: every message and every bell is gone.
    for number in range(5):
        emit(settings, 10)
        link.call("DEL", keys.BELL, *[key for key in link.call("KEYS", "rt:celery:*") if b"runtally" in key] or ["none"])
        eventually(lambda number=number: counted(reader) == 17 + number * 10)


def test_events_wait_for_a_worker_that_comes_later(settings: Settings, processes: Processes, link: Link) -> None:
    emit(settings, 2_000)
    reader = Reader(link, settings.partitions, REGISTRY)
    assert reader.backlog() > 0
    processes.worker()
    eventually(lambda: counted(reader) == 2_000)
    eventually(lambda: reader.backlog() == 0)


def test_a_partition_whose_state_somebody_overwrote_stands_still_alone_and_goes_on_once_it_is_mended(
    settings: Settings, processes: Processes, link: Link, tmp_path: Path
) -> None:
    partition = keys.partition_of(RUN, settings.partitions)
    elsewhere = next(run for run in (f"250930-1415{n}" for n in range(10, 60)) if keys.partition_of(run, settings.partitions) != partition)
    link.call("SET", keys.state(partition), "a word")
    processes.worker()
    reader = Reader(link, settings.partitions, REGISTRY)
    emit(settings, 10)
    eventually(lambda: f"WRONGTYPE {keys.state(partition)}" in (tmp_path / "worker.log").read_text())
    publisher = Publisher(settings)
    publisher.emit("job.started", {"run_id": elsewhere})
    assert publisher.close() == 0
    eventually(lambda: reader.job(elsewhere))
    assert counted(reader) == 0
    link.call("RENAME", keys.state(partition), keys.aside(keys.state(partition)))
    eventually(lambda: counted(reader) == 10)
