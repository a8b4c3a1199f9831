"""What the README shows works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from contract.keys import partition_of
from contract.settings import Settings
from contract.status import Status
from tests.building import REGISTRY
from worker.consume import Consumer

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_code_runs_and_is_counted(block: str, settings: Settings, tmp_path: Path) -> None:
    from cli.reading import reading

    url = settings.redis_url.get_secret_value()
    environment = {**os.environ, "RUNTALLY_REDIS_URL": url, "PYTHONPATH": str(ROOT)}
    code = f"{block}\nprint(job.run_id)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    run = done.stdout.strip()
    Consumer(settings, REGISTRY, partition_of(run, settings.partitions)).turn()
    with reading(settings) as (reader, _):
        job, (client,) = reader.job(run), reader.clients(run)
    assert job is not None
    assert (job.status, job.job_type, job.stream) == (Status.COMPLETED, "batch_scoring", 1)
    assert (client.name, client.metrics) == ("Client A", {"Leads Processed": 1, "Profile Scoring Tokens": 812})


def test_every_link_and_target_exists() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    targets = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for target in re.findall(r"make ([a-z]+)", README):
        assert target in targets, target
