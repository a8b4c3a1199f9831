"""`runtally runs`, `run show` and `run-id`, as a person uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from contract.keys import partition_of
from contract.link import Link
from contract.settings import Settings
from producers.publisher import Publisher
from producers.runs import Job
from tests.building import REGISTRY
from worker.consume import Consumer
from worker.maintain import now_ms

ROOT = Path(__file__).parents[2]
RUN = "250930-141522"


def runtally(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(), "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def _await_another_ms(settings: Settings) -> None:
    """By the server's clock, which says which of two events is newer."""
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    begin = now_ms(link)
    while now_ms(link) == begin:
        pass
    link.close()


@pytest.fixture
def counted(settings: Settings) -> Settings:
    publisher = Publisher(settings)
    with Job(publisher, RUN, "scoring [bold]", 1, None) as job:
        with job.client("a", "Client A") as run:
            run.count(leads_processed=1234, apify_api_costs="1.10")
            run.skip("QUOTA", 2)
        with pytest.raises(KeyError), job.client("b") as run:
            raise KeyError("boom")
    assert publisher.flush() == 0
    _await_another_ms(settings)
    with Job(publisher, "250930-141500", "harvest", None, None):
        pass
    assert publisher.close() == 0
    for run_id in (RUN, "250930-141500"):
        Consumer(settings, REGISTRY, partition_of(run_id, settings.partitions)).turn()
    return settings


def test_runs_are_listed_newest_first_and_by_status(counted: Settings) -> None:
    shown = runtally(counted, "runs")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["250930-141500", RUN]
    assert "scoring [bold]" in shown.stdout
    assert max(map(len, lines)) <= 100
    listed = [json.loads(line) for line in runtally(counted, "runs", "--json", "--limit", "1").stdout.splitlines()]
    assert len(listed) == 1
    assert runtally(counted, "runs", "--status", "failed").stdout.strip() == "no runs yet"
    assert "on fire" in runtally(counted, "runs", "--status", "on fire").stderr


def test_a_run_is_shown_with_its_clients(counted: Settings) -> None:
    shown = runtally(counted, "run", "show", RUN)
    assert shown.returncode == 0, shown.stderr
    for text in ("1,234", "1.10", "Client A", "Completed", "Failed", "2"):
        assert text in shown.stdout
    rows = [json.loads(line) for line in runtally(counted, "run", "show", RUN, "--json").stdout.splitlines()]
    assert [row["kind"] for row in rows] == ["job", "client", "client"]
    assert rows[0]["metrics"]["Apify API Costs"] == "1.10"
    one = runtally(counted, "run", "show", f"{RUN}-b")
    assert "KeyError" in one.stdout
    assert runtally(counted, "run", "show", "250101-000000").returncode == 1


def test_errors_say_what_to_do(settings: Settings) -> None:
    wrong = runtally(settings, "run", "show", "259999-999999")
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr
    environment = {**os.environ, "RUNTALLY_REDIS_URL": "redis://:secret-word@127.0.0.1:1/0", "PYTHONPATH": str(ROOT)}
    away = subprocess.run(
        [sys.executable, "-m", "cli.main", "runs"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert away.returncode == 2
    assert "RUNTALLY_REDIS_URL" in away.stderr
    assert "secret-word" not in away.stderr + away.stdout
    misspelt = subprocess.run(
        [sys.executable, "-m", "cli.main", "runs"],
        env={**environment, "RUNTALLY_REDIS_ULR": "x"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert misspelt.returncode == 2
    assert "RUNTALLY_REDIS_ULR" in misspelt.stderr


def test_run_ids_are_parsed_converted_and_checked(settings: Settings) -> None:
    assert json.loads(runtally(settings, "run-id", "parse", "250930-141522-Jane-Doe", "--json").stdout)["client"] == "Jane-Doe"
    assert runtally(settings, "run-id", "convert", "job_post_scoring_stream1_20250929094802").stdout.strip() == "250929-094802"
    assert runtally(settings, "run-id", "convert", "UNKNOWN").returncode == 2
    assert runtally(settings, "run-id", "check", "UNKNOWN").returncode == 1
    assert runtally(settings, "run-id", "check", RUN).returncode == 0
