"""`runtally exec -- CMD`: the command behaves as it does without it, and is a run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract.settings import Settings
from contract.status import Status
from producers.exclusive import Exclusive, Scope
from producers.spool.listing import listed
from tests.server.counted_runs import only_run, runs
from worker.rows import text

ROOT = Path(__file__).parents[2]


class Shell:
    """`runtally exec` with these settings, in a folder of its own."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._folder = folder
        self.environment = {
            **os.environ,
            "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
            "RUNTALLY_SPOOL_DIR": str(settings.spool_dir),
            "PYTHONPATH": str(ROOT),
        }

    def words(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "cli.main", "exec", *words]

    def run(self, *words: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.words(*words),
            env=self.environment | environment,
            cwd=self._folder,
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def start(self, *words: str, environment: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
        known = self.environment | (environment or {})
        options |= {"env": known, "cwd": self._folder, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(self.words(*words), preexec_fn=_heed_signals, **options)  # noqa: PLW1509  # sets two signals, no more


def _heed_signals() -> None:
    """What runs the tests in the background may ignore these, and whoever it starts would too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def shell(settings: Settings, tmp_path: Path) -> Shell:
    return Shell(settings, tmp_path)


def eventually(holds: Callable[[], Any], within_s: float = 30.0) -> Any:
    deadline = time.monotonic() + within_s
    while not (last := holds()):
        assert time.monotonic() < deadline, f"still {last!r} after {within_s} s"
        time.sleep(0.02)
    return last


def test_bytes_and_exit_code_pass_through_and_the_last_lines_are_noted(settings: Settings, shell: Shell) -> None:
    odd = bytes(range(256)) + b"\nlast line, unfinished"
    done = shell.run("--stream", "4", "--", "sh", "-c", "cat; echo trouble >&2; exit 7", stdin=odd)
    assert (done.returncode, done.stdout, done.stderr) == (7, odd, b"trouble\n")
    job, clients = only_run(settings)
    assert (job.job_type, job.stream, job.status, clients) == ("sh", 4, Status.FAILED, [])
    notes = text(job, "notes")
    assert "exit code 7" in notes
    assert "> last line, unfinished" in notes
    assert "> trouble" in notes


def test_a_client_and_options_of_the_commands_own(settings: Settings, shell: Shell) -> None:
    done = shell.run("--job-type", "export", "--client", "Jane-Doe", "--tail-lines", "2", "sh", "-c", "seq 1 100000; echo $RUNTALLY_RUN_ID")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"\n") == 100_001
    job, (client,) = only_run(settings)
    assert (job.job_type, job.status, client.client) == ("export", Status.NO_LEADS, "Jane-Doe")
    assert done.stdout.endswith(f"{client.row_id}\n".encode())
    shown = [line.partition("> ")[2] for line in text(client, "notes").splitlines() if "> " in line]
    assert shown == ["100000", client.row_id]


def test_the_command_can_add_to_its_run(settings: Settings, shell: Shell) -> None:
    program = "import producers; producers.current_run().count(leads_processed=4); producers.current_job().note('from within')"
    done = shell.run("--client", "acme", "--", sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    job, (client,) = only_run(settings)
    assert (client.status, client.metrics) == (Status.COMPLETED, {"Leads Processed": 4})
    assert "from within" in text(job, "notes")


def test_calls_and_blocks_in_the_command_count_into_its_run(settings: Settings, shell: Shell) -> None:
    call = "import os, producers; producers.update_client_metrics(os.environ['RUNTALLY_RUN_ID'], 'acme', {'leads_processed': 4})"
    opening = "import producers\nwith producers.current_job().client('acme') as run: run.count(leads_processed=5)"
    assert shell.run("--client", "acme", "--run-id", "250930-141522", "--", sys.executable, "-c", call).returncode == 0
    assert shell.run("--run-id", "250930-141522", "--", sys.executable, "-c", opening).returncode == 0
    job, (client,) = only_run(settings)
    assert (job.status, client.client, client.metrics) == (Status.COMPLETED, "acme", {"Leads Processed": 9})


def test_a_clients_run_cannot_be_opened_as_a_job(shell: Shell) -> None:
    opening = "import os, producers; producers.job(run_id=os.environ['RUNTALLY_RUN_ID'])"
    done = shell.run("--client", "acme", "--", sys.executable, "-c", opening)
    assert done.returncode == 1
    assert b"is the run of client 'acme', not a job's" in done.stderr
    assert b"producers.current_run()" in done.stderr
    refused = shell.run("--run-id", "250930-141522-acme", "--", "true")
    assert refused.returncode == 2
    assert b"use 250930-141522 for the job" in refused.stderr


def test_a_client_in_somebodys_run_leaves_the_job_to_its_owner(settings: Settings, shell: Shell) -> None:
    part = " ".join(shell.words("--run-id", "$RUNTALLY_RUN_ID", "--client"))
    done = shell.run("--job-type", "nightly", "--", "sh", "-c", f"{part} a -- false; {part} b -- true")
    assert done.returncode == 0, done.stderr
    job, clients = only_run(settings)
    assert (job.job_type, [client.client for client in clients]) == ("nightly", ["a", "b"])
    assert [client.status for client in clients] == [Status.FAILED, Status.NO_LEADS]
    assert job.status is Status.COMPLETED


def test_a_run_is_continued(settings: Settings, shell: Shell) -> None:
    assert shell.run("--run-id", "250930-141522", "--", "false").returncode == 1
    assert shell.run("--run-id", "250930-141522", "--", "true").returncode == 0
    job, _ = only_run(settings)
    assert (job.run, job.status) == ("250930-141522", Status.COMPLETED)


def test_what_cannot_be_started_has_the_exit_code_of_a_shell(settings: Settings, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("no program", "utf-8")
    assert shell.run("--", "no-such-command").returncode == 127
    assert shell.run("--", "./plain.txt").returncode == 126
    found = {job.job_type: text(job, "notes") for job, _ in runs(settings)}
    assert "cannot start no-such-command: No such file or directory" in found["no-such-command"]
    assert "Permission denied" in found["plain.txt"]


def test_output_is_live(shell: Shell) -> None:
    process = shell.start("--", "sh", "-c", "echo first; read line; echo $line", stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"first\n"
    process.stdin.write(b"second\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"second\n"
    assert process.wait(30) == 0
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_reach_the_command_which_decides(settings: Settings, shell: Shell, number: int) -> None:
    name = signal.Signals(number).name[3:]
    program = f"trap 'echo caught; exit 5' {name}; echo ready; while :; do sleep 0.05; done"
    process = shell.start("--job-type", "stubborn", "--", "sh", "-c", program, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (5, b"caught\n")
    job, _ = only_run(settings)
    assert job.status is Status.FAILED
    assert f"SIG{name} was passed on to the command" in text(job, "notes")


def test_a_command_that_a_signal_ends_has_128_and_its_number(settings: Settings, shell: Shell) -> None:
    process = shell.start("--", "sh", "-c", "echo ready; exec sleep 60", start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    job, _ = only_run(settings)
    assert (job.status, "ended by SIGTERM" in text(job, "notes")) == (Status.FAILED, True)


def test_a_reader_that_goes_away_ends_the_command_as_it_would_without(settings: Settings, shell: Shell) -> None:
    process = shell.start("--", "yes")
    assert process.stdout is not None
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert process.wait(30) == 128 + signal.SIGPIPE
    assert process.stderr is not None
    process.stderr.close()
    job, _ = only_run(settings)
    assert job.status is Status.FAILED


def test_what_the_command_leaves_behind_does_not_keep_it(shell: Shell) -> None:
    before = time.monotonic()
    done = shell.run("--", "sh", "-c", "sleep 55 & echo $!")
    os.kill(int(done.stdout), signal.SIGKILL)
    assert done.returncode == 0
    assert time.monotonic() - before < 50


def test_it_beats_while_the_command_works(settings: Settings, shell: Shell) -> None:
    often = {"RUNTALLY_STALE_AFTER_S": "1"}
    process = shell.start("--", "sh", "-c", "read line", stdin=subprocess.PIPE, environment=often)
    try:
        ((job, _),) = eventually(lambda: runs(settings))
        eventually(lambda: only_run(settings)[0].seen_ms > job.seen_ms + 1_000)
    finally:
        process.communicate(b"\n", timeout=30)


def test_a_second_one_is_refused_with_its_holder(settings: Settings, shell: Shell, tmp_path: Path) -> None:
    with Exclusive(settings, Scope("harvest", 1), run_id="250930-141522"):
        refused = shell.run("--exclusive", "--job-type", "harvest", "--stream", "1", "--", "touch", "ran")
        assert refused.returncode == 75
        assert re.search(r"harvest, stream 1 is already running: run 250930-141522, for [0-9]+ s, on ", refused.stderr.decode())
        assert not (tmp_path / "ran").exists()
        assert shell.run("--exclusive", "--job-type", "harvest", "--stream", "2", "--", "true").returncode == 0
    assert shell.run("--exclusive", "--job-type", "harvest", "--stream", "1", "--", "touch", "ran").returncode == 0
    assert (tmp_path / "ran").exists()
    assert len(runs(settings)) == 2


def test_with_redis_away_the_command_runs_and_its_events_wait_in_the_spool(settings: Settings, shell: Shell, tmp_path: Path) -> None:
    away = {"RUNTALLY_REDIS_URL": "redis://127.0.0.1:1/0", "RUNTALLY_DRAIN_TIMEOUT_S": "0"}
    done = shell.run("--", "sh", "-c", "echo done; exit 3", **away)
    assert (done.returncode, done.stdout) == (3, b"done\n")
    assert b"wait in the spool" in done.stderr
    assert sum(stored.events for stored in listed(settings.spool_dir)) >= 3
    assert shell.run("--exclusive", "--", "touch", "ran", **away).returncode == 75
    assert not (tmp_path / "ran").exists()
    assert shell.run("--exclusive", "--if-unavailable", "proceed", "--", "touch", "ran", **away).returncode == 0
    assert (tmp_path / "ran").exists()


def test_secrets_are_not_noted(settings: Settings, shell: Shell) -> None:
    program = textwrap.dedent("""
        import os
        print("airtable", os.environ["RUNTALLY_AIRTABLE_TOKEN"])
        print("\\x1b[31mpassword " + os.environ["PGPASSWORD"] + "\\x1b[0m at postgres://me:hunter22@db/leads")
        print("10 %\\r100 %")
    """)
    done = shell.run("--", sys.executable, "-c", program, RUNTALLY_AIRTABLE_TOKEN="patABC.123456", PGPASSWORD="s3cr3t-s3cr3t")
    assert b"s3cr3t-s3cr3t" in done.stdout
    job, _ = only_run(settings)
    shown = [line.partition("> ")[2] for line in text(job, "notes").splitlines() if "> " in line]
    assert shown == ["airtable ***", "password *** at postgres://***@db/leads", "100 %"]
