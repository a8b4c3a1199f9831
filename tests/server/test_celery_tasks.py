"""Celery tasks as runs, worked off by real workers: one task ID is one run, whatever its workers meet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import producers
from contract.settings import Settings
from contract.status import Status
from producers import default
from producers.draining import drain
from producers.publisher import Publisher
from tests.server.counted_runs import Run, only_run, runs
from tests.server.tracked_app import app, crash, fail, flaky, hang, later, lost, plain, read, score, slow
from worker.rows import text

ROOT = Path(__file__).parents[2]


TERMINAL = (Status.COMPLETED, Status.FAILED, Status.NO_LEADS)


def eventually(holds: Callable[[], Any], within_s: float = 60.0) -> Any:
    """What holds, as soon as it does; fails with what it last was."""
    deadline = time.monotonic() + within_s
    while not (last := holds()):
        assert time.monotonic() < deadline, f"still {last!r} after {within_s} s"
        time.sleep(0.05)
    return last


class Workers:
    """Celery's workers for one server, and this process as the one that sends tasks."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self._environment = {
            **os.environ,
            "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
            "PYTHONPATH": str(ROOT),
            "FOLDER": str(folder),
        }
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, pool: str = "prefork", concurrency: int = 2, **environment: str) -> subprocess.Popen[bytes]:
        words = [
            "-A",
            "tests.server.tracked_app",
            "worker",
            "-P",
            pool,
            "-c",
            str(concurrency),
            "--without-mingle",
            "--without-gossip",
            "-l",
            "INFO",
        ]
        with (self.folder / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "celery", *words],
                env=self._environment | environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        self._started.append(worker)
        return worker

    def stop(self, worker: subprocess.Popen[bytes]) -> None:
        """A warm shutdown: what is being worked on is finished."""
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0

    def ended(self, number: int) -> list[Run]:
        """The runs, once so many have ended."""

        def all_ended() -> list[Run]:
            found = runs(self.settings)
            return found if sum(job.status in TERMINAL for job, _ in found) >= number else []

        return eventually(all_ended)

    def close(self) -> None:
        # With all children: one that was forked late holds its parent's connection, and takes the next test's message along.
        for worker in self._started:
            with suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(10)


@pytest.fixture
def workers(settings: Settings, tmp_path: Path) -> Iterator[Workers]:
    app.conf.broker_url = settings.redis_url.get_secret_value()
    workers = Workers(settings, tmp_path)
    yield workers
    workers.close()


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_tasks_are_runs_and_a_warm_shutdown_loses_none(workers: Workers, pool: str) -> None:
    for number in range(40):
        read.delay(f"c{number % 4}", number)
    plain.delay()
    fail.delay("broken")
    worker = workers.start(pool)
    workers.ended(20)
    workers.stop(worker)
    # What was begun when it stopped is finished; a second worker takes the rest.
    workers.start(pool)
    found = workers.ended(42)
    assert len(found) == 42
    by_type: dict[Any, list[Run]] = {}
    for run in found:
        by_type.setdefault(run[0].job_type, []).append(run)
    counted = [client for _, (client,) in by_type["leads.read"]]
    assert sorted(client.metrics.get("Leads Processed", 0) for client in counted) == list(range(40))
    assert sorted(client.metrics["Profile Scoring Tokens"] for client in counted) == list(range(40))
    ((job, clients),) = by_type["plain"]
    assert (job.status, clients) == (Status.COMPLETED, [])
    ((job, (client,)),) = by_type["leads.fail"]
    assert (job.status, client.client) == (Status.FAILED, "broken")
    assert "ValueError: broken has no source" in text(client, "errors")


def notes_of(settings: Settings, client_id: str) -> str:
    return "\n".join(text(client, "notes") for _, clients in runs(settings) for client in clients if client.client == client_id)


def test_retries_continue_the_run_and_only_the_final_outcome_ends_it(workers: Workers) -> None:
    flaky.delay("works", 2)
    flaky.delay("fails", 9)
    workers.start()
    found = workers.ended(2)
    clients = {client.client: (job, client) for job, (client,) in found}
    assert len(found) == 2
    job, works = clients["works"]
    assert (job.status, works.status, works.metrics) == (Status.COMPLETED, Status.COMPLETED, {"Leads Processed": 1})
    # Each try may be another child's, and a child that is still connecting sends later than one that is not.
    eventually(lambda: "it will be tried again: ConnectionError: try 1" in notes_of(workers.settings, "works"))
    assert "retry 2" in text(works, "notes")
    assert text(works, "errors") == ""
    job, fails = clients["fails"]
    assert (job.status, fails.status) == (Status.FAILED, Status.FAILED)
    assert "ConnectionError: try 3" in text(fails, "errors")


def test_a_worker_killed_in_mid_task_leaves_the_run_to_the_next_one(workers: Workers) -> None:
    hang.delay("acme")
    worker = workers.start(concurrency=1)
    mark = workers.folder / "hang-acme"
    child = int(eventually(lambda: mark.exists() and mark.read_text("utf-8")))
    ((first, _),) = eventually(lambda: [run for run in runs(workers.settings) if run[1]])
    worker.kill()
    worker.wait(10)
    os.kill(child, signal.SIGKILL)
    workers.start(concurrency=1)
    ((job, (client,)),) = workers.ended(1)
    assert (job.run, job.status, client.status) == (first.run, Status.COMPLETED, Status.COMPLETED)
    assert "delivered again" in text(client, "notes")
    assert client.metrics == {"Leads Processed": 1}


def test_a_child_killed_in_mid_task_is_followed_by_another_or_ends_the_run(workers: Workers) -> None:
    crash.delay("again")
    lost.delay("never")
    slow.delay("late")
    workers.start()
    found = workers.ended(3)
    clients = {client.client: (job.status, client) for job, (client,) in found}
    assert len(found) == 3
    assert clients["again"][0] is Status.COMPLETED
    assert clients["never"][0] is Status.FAILED
    assert "WorkerLostError" in text(clients["never"][1], "errors")
    assert clients["late"][0] is Status.FAILED
    assert "TimeLimitExceeded" in text(clients["late"][1], "errors")


def test_a_revoked_task_that_waits_for_its_retry_ends_failed_and_one_that_never_began_is_no_run(workers: Workers) -> None:
    waiting = later.delay("acme")
    workers.start(concurrency=1)
    eventually(lambda: [run for run in runs(workers.settings) if "tried again" in "".join(text(client, "notes") for client in run[1])])
    never = read.apply_async(("nobody",), countdown=1)
    app.control.revoke([waiting.id, never.id])
    ((job, (client,)),) = workers.ended(1)
    assert (job.job_type, client.client, job.status) == ("leads.later", "acme", Status.FAILED)
    assert "revoked, before it was done" in text(client, "errors")


def test_a_terminated_task_ends_failed(workers: Workers) -> None:
    sent = hang.delay("acme")
    workers.start(concurrency=1)
    eventually((workers.folder / "hang-acme").exists)
    app.control.revoke(sent.id, terminate=True)
    ((job, (client,)),) = workers.ended(1)
    assert (job.status, client.status) == (Status.FAILED, Status.FAILED)
    assert "terminated, before it was done" in text(client, "errors")


def test_retries_are_one_run_also_while_redis_is_away(workers: Workers, settings: Settings) -> None:
    flaky.delay("acme", 2)
    away = {"RUNTALLY_REDIS_URL": "redis://127.0.0.1:1/0", "RUNTALLY_BROKER_URL": settings.redis_url.get_secret_value()}
    worker = workers.start(**away, RUNTALLY_SPOOL_DIR=str(settings.spool_dir), RUNTALLY_DRAIN_TIMEOUT_S="0.1")
    eventually(lambda: "succeeded in" in (workers.folder / "worker.log").read_text("utf-8"))
    workers.stop(worker)
    for _ in drain(settings, any_target=True):
        pass
    job, (client,) = only_run(settings)
    assert (job.status, client.metrics) == (Status.COMPLETED, {"Leads Processed": 1})
    assert "retry 2" in text(client, "notes")


def test_tasks_are_parts_of_somebodys_job_when_they_are_given_its_run(workers: Workers, settings: Settings) -> None:
    publisher = Publisher(settings)
    default.use(publisher)
    try:
        with producers.job("scoring", stream=3) as job:
            for client in ("a", "b"):
                score.delay(job.run_id, client)
        assert publisher.close() == 0
    finally:
        default.use(None)
    workers.start()
    done = eventually(lambda: [run for run in runs(settings) if len(run[1]) == 2 and run[0].status is Status.COMPLETED])
    ((job_row, clients),) = done
    assert (job_row.job_type, job_row.stream, job_row.metrics["Leads Processed"]) == ("scoring", 3, 2)
    assert [client.client for client in clients] == ["a", "b"]
