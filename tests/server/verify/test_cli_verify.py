"""`runtally verify`, as an operator uses it: tables that fit, JSON lines, and exit codes that say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from .conftest import RUN, TOKEN, Flow

ROOT = Path(__file__).parents[3]


def runtally(flow: Flow, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    flow.at_rest()
    settings = flow.settings
    environment = {
        **os.environ,
        "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
        "RUNTALLY_PARTITIONS": str(settings.partitions),
        "RUNTALLY_AIRTABLE_URL": settings.airtable_url,
        "RUNTALLY_AIRTABLE_TOKEN": TOKEN,
        "RUNTALLY_AIRTABLE_BASE_ID": flow.sandbox.base_id,
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "100",
    }
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "verify", *words],
        env=environment | more,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_clean_system_gives_exit_code_0(flow: Flow) -> None:
    done = runtally(flow, "--replay")
    assert done.returncode == 0, done.stderr
    assert "all is well: 2 runs, 6 rows, 6 records in Airtable, 2 runs folded anew" in done.stdout
    assert "records read from Airtable" in done.stderr


def test_findings_fit_on_the_screen_give_1_and_0_once_they_are_mended(flow: Flow) -> None:
    flow.write_metric(None, "Leads Processed", 17)
    flow.clients.update(flow.record("a")["id"], {"Client Name": "[bold]", "System Notes": "x" * 300})
    found = runtally(flow, "--run", RUN)
    assert found.returncode == 1, found.stderr
    lines = found.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("total") and RUN in line and "17" in line and "16" in line for line in lines)
    assert "[bold]" in found.stdout

    repaired = runtally(flow, "--repair")
    assert repaired.returncode == 0, repaired.stdout
    assert "asked" in repaired.stdout
    flow.settle()
    assert runtally(flow).returncode == 0


def test_json_is_one_object_a_line(flow: Flow) -> None:
    flow.link.call("DEL", flow.row("a"))
    done = runtally(flow, "--json", "--no-airtable")
    assert done.returncode == 1
    finding, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert (finding["type"], finding["kind"], finding["run"], finding["client"]) == ("finding", "lost", RUN, "a")
    assert (finding["mend"], finding["state"]) == ("rebuild", "open")
    assert (summary["type"], summary["findings"], summary["left"]) == ("summary", 1, 1)


def test_what_cannot_be_checked_gives_2(flow: Flow) -> None:
    assert runtally(flow, "--run", "UNKNOWN").returncode == 2
    away = runtally(flow, RUNTALLY_AIRTABLE_BASE_ID="appWrongWrongWrong")
    assert away.returncode == 2
    assert "Traceback" not in away.stderr
    assert TOKEN not in away.stderr + away.stdout
    assert runtally(flow, RUNTALLY_PARTITIONS="5").returncode == 2
