"""The examples of background and scheduled work run as they stand, and are counted."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from contract.settings import Settings
from contract.status import Status
from tests.server.counted_runs import only_run, runs
from worker.rows import text

ROOT = Path(__file__).parents[2]


def run_example(settings: Settings, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def test_the_tracked_function(settings: Settings, tmp_path: Path) -> None:
    done = run_example(settings, tmp_path, sys.executable, "-m", "examples.tracked_function")
    assert (done.returncode, done.stdout) == (1, "acme 3\nJane-Doe 1\nquiet 0\n"), done.stderr
    clients = {client.client: client for _, (client,) in runs(settings)}
    assert {name: client.status for name, client in clients.items()} == {
        "acme": Status.COMPLETED,
        "Jane-Doe": Status.COMPLETED,
        "quiet": Status.NO_LEADS,
        "unknown": Status.FAILED,
    }
    assert clients["acme"].metrics == {"Leads Processed": 3, "Leads Skipped": 1}
    assert clients["acme"].skips == {"NO_CONTENT": 1}
    assert "KeyError: 'unknown'" in text(clients["unknown"], "errors")


def test_the_celery_tasks(settings: Settings, tmp_path: Path) -> None:
    sent = run_example(settings, tmp_path, sys.executable, "-m", "examples.celery_scoring")
    assert sent.returncode == 0, sent.stderr
    environment = {**os.environ, "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "celery", "-A", "examples.celery_scoring", "worker", "-c", "2", "--without-mingle", "--without-gossip"]
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(words, env=environment, cwd=tmp_path, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while sum(job.status is not Status.RUNNING for job, _ in runs(settings)) < 4:
            assert time.monotonic() < deadline, (tmp_path / "worker.log").read_text("utf-8")
            time.sleep(0.05)
        worker.terminate()
        assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.wait()
    found = runs(settings)
    assert sorted((job.job_type or "", job.status) for job, _ in found) == [
        ("scoring.score", Status.COMPLETED),
        ("scoring.score", Status.COMPLETED),
        ("scoring.score", Status.FAILED),
        ("scoring.tidy", Status.COMPLETED),
    ]
    metrics = {client.client: client.metrics for _, clients in found for client in clients}
    assert metrics["acme"] == {"Leads Processed": 3, "Profile Scoring Tokens": 2_436, "Profiles Successfully Scored": 3}
    assert metrics["unknown"] == {}


def test_the_nightly_shell_script(settings: Settings, tmp_path: Path) -> None:
    script = str(ROOT / "examples" / "nightly.sh")
    done = run_example(settings, tmp_path, "runtally", "exec", "--job-type", "nightly", "--exclusive", "--", script)
    assert (done.returncode, done.stdout) == (0, "scoring acme\nscoring Jane-Doe\n"), done.stderr
    assert "broken: exit code 3" in done.stderr
    job, clients = only_run(settings)
    assert (job.job_type, job.status) == ("nightly", Status.COMPLETED)
    assert "all clients were tried" in text(job, "notes")
    assert {client.client: client.status for client in clients} == {
        "Jane-Doe": Status.COMPLETED,
        "acme": Status.COMPLETED,
        "broken": Status.FAILED,
    }
    assert "exit code 3" in text(clients[-1], "errors")
    assert "> broken has no source" in text(clients[-1], "notes")
    assert job.metrics["Leads Processed"] == 4
