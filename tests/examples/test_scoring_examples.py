"""The examples of scorers run as they stand, and are counted."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from contract.settings import Settings
from contract.status import Status
from tests.server.counted_runs import only_run, runs

ROOT = Path(__file__).parents[2]


def printed(settings: Settings, folder: Path, name: str, *words: str) -> str:
    environment = {**os.environ, "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", f"examples.{name}", *words]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_single_scoring(settings: Settings, tmp_path: Path) -> None:
    said = printed(settings, tmp_path, "single_scoring")
    assert said == "acme 33\nJane-Doe None\nacme None\nacme the model is away\n"
    ada, unclear, empty, offline = [client for _, (client,) in runs(settings)]
    assert ada.metrics["Profiles Successfully Scored"] == 1
    assert (unclear.client, unclear.skips, unclear.metrics["Prompt Tokens"]) == ("Jane-Doe", {"INVALID_AI_RESPONSE": 1}, 140)
    assert (empty.skips, empty.metrics["Profiles Examined for Scoring"]) == ({"NO_CONTENT": 1}, 0)
    assert (offline.status, offline.metrics["Errors"]) == (Status.FAILED, 1)


def test_post_scoring(settings: Settings, tmp_path: Path) -> None:
    said = printed(settings, tmp_path, "post_scoring")
    job, (client,) = only_run(settings)
    assert (said, job.status, client.status) == (f"{job.run}\n", Status.COMPLETED, Status.COMPLETED)
    assert client.metrics["Posts Examined for Scoring"] == 4
    assert client.metrics["Posts Successfully Scored"] == 3
    assert client.skips == {"INVALID_AI_RESPONSE": 1, "NO_CONTENT": 1}


def test_post_harvesting(settings: Settings, tmp_path: Path) -> None:
    assert printed(settings, tmp_path, "post_harvesting") == "17\n"
    _, (client,) = only_run(settings)
    assert client.metrics == {
        "Profiles Submitted for Post Harvesting": 3,
        "Total Posts Harvested": 17,
        "Apify API Costs": Decimal("0.3000"),
        "Apify Run ID": "aB3dE5fG7hJ9kL1mN",
        "Apify Status": "SUCCEEDED",
    }


def test_async_scoring(settings: Settings, tmp_path: Path) -> None:
    said = printed(settings, tmp_path, "async_scoring")
    job, clients = only_run(settings)
    assert (said, job.status) == (f"{job.run}\n", Status.COMPLETED)
    assert {client.client: client.metrics["Leads Processed"] for client in clients} == {"Jane-Doe": 1, "acme": 3}


def test_batch_scoring_and_going_on_with_it(settings: Settings, tmp_path: Path) -> None:
    run_id = printed(settings, tmp_path, "batch_scoring").strip()
    job, (jane, acme, quiet) = only_run(settings)
    assert (job.run, job.status, job.stream) == (run_id, Status.COMPLETED, 1)
    assert acme.metrics == {
        "Leads Processed": 7,
        "Profiles Examined for Scoring": 6,
        "Profiles Successfully Scored": 4,
        "Leads Skipped": 2,
        "Errors": 1,
        "Prompt Tokens": 250,
        "Completion Tokens": 10,
        "Profile Scoring Tokens": 260,
    }
    assert acme.skips == {"NO_CONTENT": 1, "INVALID_AI_RESPONSE": 1}
    assert (jane.metrics["Profiles Successfully Scored"], jane.name, quiet.status) == (2, "Jane Doe", Status.NO_LEADS)
    assert printed(settings, tmp_path, "batch_scoring", run_id) == f"{run_id} acme Jane-Doe quiet\n"
    assert only_run(settings)[0].metrics == job.metrics
