"""SIGTERM ends a process in the midst of its blocks: each tells that it has failed, before the process ends as SIGTERM ends one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from contract.keys import partition_of
from contract.link import Link
from contract.settings import Settings
from contract.status import Status
from tests.building import REGISTRY, RUN
from worker.consume import Consumer
from worker.rows import ClientRow, JobRow
from worker.store.reader import Reader

ROOT = Path(__file__).parents[2]

PLAIN = """
import sys
import producers
with producers.job("scoring", run_id="RUN") as job, job.client("a") as run, job.client("b") as done:
    run.count(leads_processed=1)
    done.complete()
    print("open", flush=True)
    sys.stdin.read()
"""

DURABLE = """
import asyncio
import sys
import producers
async def main():
    async with producers.job("scoring", run_id="RUN") as job, job.client("a") as run, job.client("b") as done:
        run.count(leads_processed=1)
        done.complete()
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""

FORKED = """
import os, signal, sys, time
import producers
with producers.job("scoring", run_id="RUN") as job, job.client("a") as run, job.client("b") as done:
    run.count(leads_processed=1)
    done.complete()
    child = os.fork()
    while not child:
        time.sleep(0.05)
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
    print("open", flush=True)
    sys.stdin.read()
"""


def started(settings: Settings, tmp_path: Path, text: str, **environment: str) -> subprocess.Popen[str]:
    """Returns when it has said that its blocks are open."""
    process = subprocess.Popen(
        [sys.executable, "-c", text.replace("RUN", RUN)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(), **environment},
        cwd=tmp_path,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def rows(settings: Settings) -> tuple[JobRow, dict[str, ClientRow]]:
    consumer = Consumer(settings, REGISTRY, partition_of(RUN, settings.partitions))
    assert consumer.turn().drained
    consumer.close()
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    reader = Reader(link, settings.partitions, REGISTRY)
    job, clients = reader.job(RUN), {row.client: row for row in reader.clients(RUN)}
    link.close()
    assert job is not None
    return job, clients


@pytest.mark.parametrize(("text", "durable"), [(PLAIN, "false"), (PLAIN, "true"), (DURABLE, "true")], ids=["plain", "durable", "async"])
def test_what_is_open_when_sigterm_ends_the_process_is_told_as_failed(settings: Settings, tmp_path: Path, text: str, durable: str) -> None:
    process = started(settings, tmp_path, text, RUNTALLY_DURABLE=durable)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM
    job, clients = rows(settings)
    for row in (job, clients["a"]):
        assert row.status is Status.FAILED
        assert row.notes[-1].endswith("ended by SIGTERM")
    assert clients["a"].metrics["Leads Processed"] == 1
    assert clients["b"].status is Status.NO_LEADS, "its end had been told already"


def test_a_forked_child_that_sigterm_ends_tells_nothing_of_its_parents_blocks(settings: Settings, tmp_path: Path) -> None:
    process = started(settings, tmp_path, FORKED)
    process.communicate(timeout=30)
    assert process.returncode == 0
    job, clients = rows(settings)
    assert (job.status, clients["a"].status) == (Status.COMPLETED, Status.COMPLETED)
    assert "SIGTERM" not in str((job.notes, [row.notes for row in clients.values()]))
