"""`runtally emit`: an event from a shell is checked, delivered and counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contract.settings import Settings
from contract.status import Status
from producers.draining import drain
from tests.server.counted_runs import only_run, runs
from worker.rows import text

ROOT = Path(__file__).parents[2]
RUN = "250930-141522"
AWAY = {"RUNTALLY_REDIS_URL": "redis://127.0.0.1:1/0"}


class Shell:
    def __init__(self, settings: Settings, folder: Path) -> None:
        self._folder = folder
        self._environment = {
            **os.environ,
            "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
            "RUNTALLY_SPOOL_DIR": str(settings.spool_dir),
            "PYTHONPATH": str(ROOT),
        }

    def emit(self, *words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cli.main", "emit", *words],
            env=self._environment | environment,
            cwd=self._folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def emitted(self, *words: str, **more: str) -> str:
        done = self.emit(*words, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def shell(settings: Settings, tmp_path: Path) -> Shell:
    return Shell(settings, tmp_path)


def test_a_job_from_its_start_to_its_end(settings: Settings, shell: Shell) -> None:
    run = shell.emitted("job.started", "--job-type", "nightly", "--stream", "2")
    assert shell.emitted("client.run.started", "--run-id", run, "--client", "Jane-Doe", "--client-name", "Jane Doe") == ""
    shell.emitted(
        "client.metrics.updated",
        *("--run-id", run, "--client", "Jane-Doe", "--metric", "leads_processed=1,200", "--metric", "Apify API Costs=0.30"),
        *("--skip", "NO_CONTENT=2", "--skip", "QUOTA=1", "--error", "one lead had no name"),
    )
    shell.emitted("client.metrics.updated", "--run-id", run, "--client", "Jane-Doe", "--total", "posts_processed=7")
    shell.emitted("client.progress.logged", "--run-id", f"{run}-Jane-Doe", "--progress", "scoring=completed=in time", "--note", "well")
    shell.emitted("client.run.completed", "--run-id", run, "--client", "Jane-Doe", "--success", "--time", "2099-01-01T12:00:00+02:00")
    shell.emitted("job.completed", "--run-id", run, "--status", "Completed with errors")
    job, (client,) = only_run(settings)
    assert (job.run, job.job_type, job.stream, job.status) == (run, "nightly", 2, Status.COMPLETED)
    assert (client.name, client.status, client.skips) == ("Jane Doe", Status.COMPLETED, {"NO_CONTENT": 2, "QUOTA": 1})
    counted = {name: str(value) for name, value in client.metrics.items()}
    assert counted == {"Leads Processed": "1200", "Apify API Costs": "0.30", "Leads Skipped": "3", "Errors": "1", "Posts Processed": "7"}
    assert "scoring: completed (in time)" in text(client, "progress")
    assert str(client.end) == "2099-01-01 10:00:00+00:00"


def test_an_event_with_an_id_of_its_own_counts_once(settings: Settings, shell: Shell) -> None:
    words = ("client.metrics.updated", "--run-id", RUN, "--client", "a", "--metric", "errors=1", "--id", "hook-7")
    told = [json.loads(shell.emitted(*words, "--json")) for _ in range(3)]
    assert told == [{"run_id": f"{RUN}-a", "events": 1, "delivered": 1, "waiting": 0, "lost": 0, "refused": 0}] * 3
    _, (client,) = only_run(settings)
    assert client.metrics == {"Errors": 1}


REFUSED = {
    "type": (("client.metric.updated",), "did you mean client.metrics.updated?"),
    "internal": (("job.expired", "--run-id", RUN), "is no type of event"),
    "no run": (("job.completed",), "`runtally emit job.started` begins one"),
    "bad run": (("job.completed", "--run-id", "259999-999999"), "cannot be used as a run ID"),
    "no client": (("client.run.started", "--run-id", RUN), "give its ID too"),
    "other client": (("client.run.started", "--run-id", f"{RUN}-Jane-Doe", "--client", "Doe"), "belongs to client"),
    "client of a job": (("job.completed", "--run-id", RUN, "--client", "a"), f"give no client, and {RUN} as run ID"),
    "metric": (("client.metrics.updated", "--run-id", f"{RUN}-a", "--metric", "leeds_processed=1"), "did you mean leads_processed?"),
    "value": (("client.metrics.updated", "--run-id", f"{RUN}-a", "--metric", "errors=-1"), "Errors is negative: -1"),
    "no value": (("client.metrics.updated", "--run-id", f"{RUN}-a", "--metric", "errors"), "write it as NAME=VALUE"),
    "twice": (("client.metrics.updated", "--run-id", f"{RUN}-a", "--metric", "errors=1", "--metric", "errors=2"), "given twice"),
    "skips": (("client.metrics.updated", "--run-id", f"{RUN}-a", "--skip", "QUOTA=many"), "is no number"),
    "job metrics": (("job.started", "--run-id", RUN, "--metric", "errors=1"), "totals of its clients"),
    "status": (("job.completed", "--run-id", RUN, "--status", "Finished"), "is no status"),
    "time": (("job.completed", "--run-id", RUN, "--time", "2025-09-30T14:15:22"), "add Z for UTC"),
    "no time": (("job.completed", "--run-id", RUN, "--time", "noon"), "write it as 2025-09-30T14:15:22Z"),
    "stream": (("job.started", "--stream", str(2**70)), "stream"),
    "progress": (("client.progress.logged", "--run-id", f"{RUN}-a", "--progress", "scoring"), "OPERATION=STATE"),
    "line and options": (("-", "--note", "x"), "leave out note"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_could_not_count_is_refused_and_says_what_to_write(settings: Settings, shell: Shell, case: str) -> None:
    words, reason = REFUSED[case]
    done = shell.emit(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert runs(settings) == []


def lines(*events: Any) -> str:
    return "".join(f"{json.dumps(event)}\n" for event in events)


def test_many_events_as_lines_a_bad_one_alone_is_refused(settings: Settings, shell: Shell) -> None:
    counted = {"type": "client.metrics.updated", "client_id": "a", "metrics": {"leads_processed": 1}}
    written = lines(
        {"type": "job.started", "job_type": "from lines"},
        *[counted] * 2_000,
        {**counted, "metrics": {"leads_processed": "many"}},
        {**counted, "metricks": {}},
        {"type": "client.run.completed", "client_id": "a", "success": True},
        {"type": "job.completed", "success": "yes"},
        {"type": "job.completed"},
    )
    done = shell.emit("-", "--json", stdin=f"{written}no JSON\n\n[1]\n")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout) == {"events": 2_003, "delivered": 2_003, "waiting": 0, "lost": 0, "refused": 5}
    assert [line.partition(": ")[2].partition(":")[0] for line in done.stderr.splitlines()] == [
        "line 2002",
        "line 2003",
        "line 2005",
        "line 2007",
        "line 2009",
    ]
    assert "did you mean metrics?" in done.stderr
    job, (client,) = only_run(settings)
    assert (job.job_type, job.status, client.metrics) == ("from lines", Status.COMPLETED, {"Leads Processed": 2_000})


def test_run_id_and_client_are_what_lines_leave_out(settings: Settings, shell: Shell) -> None:
    shell.emitted("-", "--run-id", RUN, "--client", "a", stdin=lines({"type": "client.metrics.updated", "metrics": {"errors": 1}}))
    job, (client,) = only_run(settings)
    assert (job.run, client.client, client.metrics) == (RUN, "a", {"Errors": 1})


def test_a_client_for_all_lines_is_none_for_those_about_the_job(settings: Settings, shell: Shell) -> None:
    written = lines(
        {"type": "client.metrics.updated", "metrics": {"errors": 1}},
        {"type": "client.run.completed", "success": True},
        {"type": "job.heartbeat"},
        {"type": "job.completed", "success": True},
    )
    for words, exec_run in ((("--run-id", RUN, "--client", "a"), None), (("--run-id", f"{RUN}-b"), None), ((), f"{RUN}-c")):
        environment = {} if exec_run is None else {"RUNTALLY_RUN_ID": exec_run}
        shell.emitted("-", *words, stdin=written, **environment)
    _, clients = only_run(settings)
    assert [(row.client, row.metrics["Errors"]) for row in clients] == [("a", 1), ("b", 1), ("c", 1)]


def test_within_runtally_exec_events_belong_to_its_run(settings: Settings, shell: Shell) -> None:
    shell.emitted("client.metrics.updated", "--metric", "leads_processed=3", RUNTALLY_RUN_ID=f"{RUN}-Jane-Doe")
    shell.emitted("job.rows.requested", "--note", "from the shell", RUNTALLY_RUN_ID=f"{RUN}-Jane-Doe")
    other = shell.emitted("job.started", RUNTALLY_RUN_ID=RUN)
    assert other != RUN
    job, (client,) = next(run for run in runs(settings) if run[0].run == RUN)
    assert (client.client, client.metrics) == ("Jane-Doe", {"Leads Processed": 3})
    assert "from the shell" in text(job, "notes")


def test_with_redis_away_events_wait_in_the_spool_unless_they_must_not(settings: Settings, shell: Shell) -> None:
    words = ("client.metrics.updated", "--run-id", RUN, "--client", "a", "--metric", "errors=1", "--timeout-s", "0.2", "--json")
    kept = shell.emit(*words, **AWAY)
    assert kept.returncode == 0, kept.stderr
    assert json.loads(kept.stdout) == {"run_id": f"{RUN}-a", "events": 1, "delivered": 0, "waiting": 1, "lost": 0, "refused": 0}
    assert "wait in the spool" in kept.stderr
    refused = shell.emit(*words, "--no-spool", **AWAY)
    assert refused.returncode == 75
    assert json.loads(refused.stdout)["lost"] == 1
    assert "not kept: emit them again" in refused.stderr
    assert sum(drain(settings, any_target=True)) >= 1
    _, (client,) = only_run(settings)
    assert client.metrics == {"Errors": 1}
