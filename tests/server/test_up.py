"""`runtally up`: everything starts, is kept alive, and goes when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.up.environment import settings_environment, write_environment_file
from cli.up.service import Service, ServiceFailed, Stage
from cli.up.stop_signal import StopSignal
from cli.up.supervisor import Supervisor
from contract.link import Link
from contract.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]


class Up:
    """A running `runtally up --json`. Its processes are known by a variable that all of them inherit."""

    def __init__(self, folder: Path, *words: str, **environment: str) -> None:
        self.folder = folder
        self.mark = f"UP_TEST={uuid.uuid4().hex}"
        name, _, value = self.mark.partition("=")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "up", "--json", "--data-dir", str(folder), *words],
            cwd=ROOT,
            env={**os.environ, name: value, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def wait_for(self, event: str, text: str = "") -> dict[str, Any]:
        """The next line with this event and this text in it. Fails when `up` ends before it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            if told["event"] == event and text in told.get("text", ""):
                return dict(told)
        assert self.process.stderr is not None
        raise AssertionError(f"ended before {event}: {self.process.stderr.read()}")

    def pids(self, words: str = "") -> list[int]:
        """The processes of this `up` that have `words` in their command line; zombies do not count.

        By their directory too: the server writes its title over its environment."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                marked = self.mark.encode() in (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                at_home = (entry / "cwd").readlink().is_relative_to(self.folder)
            except OSError:
                continue
            if (marked or at_home) and words in command:
                found.append(int(entry.name))
        return found


@contextmanager
def running_up(folder: Path, *words: str, **environment: str) -> Iterator[Up]:
    up = Up(folder, *words, **environment)
    try:
        yield up
    finally:
        for pid in up.pids():
            os.kill(pid, signal.SIGKILL)
        up.process.communicate()


def eventually(holds: Callable[[], object], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.05)


def status_of(url: str) -> int:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # a loopback URL of our own
        return int(answer.status)


def variables_of(file: Path) -> dict[str, str]:
    lines = (line.partition("=") for line in file.read_text().splitlines())
    return {name: value.strip("'") for name, _, value in lines}


def test_up_serves_restarts_what_dies_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with running_up(tmp_path) as up:
        ready = up.wait_for("ready")
        assert status_of(ready["web"] + "/healthz") == 200
        assert status_of(ready["flower"]["url"] + "/healthcheck") == 200
        environment_file = Path(ready["environment_file"])
        assert environment_file.stat().st_mode & 0o777 == 0o600
        variables = variables_of(environment_file)
        redis_url = variables["RUNTALLY_REDIS_URL"]
        password = redis_url.partition("//:")[2].partition("@")[0]
        shown = [Path(f"/proc/{pid}/cmdline").read_text() for pid in up.pids()]
        assert len(shown) == len(("up", "valkey", "sandbox", "worker", "beat", "flower", "web"))
        secrets = (password, ready["flower"]["password"], variables["RUNTALLY_AIRTABLE_TOKEN"])
        assert not any(secret in line for line in shown for secret in secrets)

        os.kill(up.pids("worker1@")[0], signal.SIGKILL)
        up.wait_for("step", "worker1 ended (signal 9)")
        eventually(lambda: up.pids("worker1@"))

        link = Link(redis_url, name="test")
        link.open()
        link.call("SET", "kept", "yes")
        os.kill(up.pids("valkey-server")[0], signal.SIGKILL)
        up.wait_for("step", "valkey ended (signal 9)")
        eventually(lambda: status_of_or_error(ready["web"] + "/healthz") == 200)
        link.close()
        link.open()
        assert link.call("GET", "kept") == b"yes"

        told_at = time.monotonic()
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(10) == 0
        assert time.monotonic() - told_at < 10
        assert up.pids() == []
        assert not environment_file.exists()


def status_of_or_error(url: str) -> int:
    try:
        return status_of(url)
    except OSError:
        return 0


def test_everything_dies_with_a_killed_up_and_a_second_up_is_refused(tmp_path: Path) -> None:
    with running_up(tmp_path, RUNTALLY_AIRTABLE_TOKEN="not-used") as up:
        up.wait_for("ready")
        second = Up(tmp_path)
        _, complaint = second.process.communicate(timeout=20)
        assert second.process.returncode == 2
        assert "open in another server" in complaint
        assert len(up.pids()) == 6
        up.process.kill()
        eventually(lambda: up.pids() == [])


def test_up_uses_the_redis_it_is_given(tmp_path: Path, redis_url: str) -> None:
    with running_up(tmp_path, "--exit", RUNTALLY_AIRTABLE_TOKEN="not-used", RUNTALLY_REDIS_URL=redis_url) as up:
        up.wait_for("ready")
        assert up.pids("valkey-server") == []
        assert up.process.wait(20) == 0


def test_the_demo_runs_and_its_outcome_is_the_exit_code(tmp_path: Path) -> None:
    with running_up(tmp_path, "--demo", "--exit", RUNTALLY_FLUSH_INTERVAL_S="1") as up:
        assert up.wait_for("demo")["ok"] is True
        assert up.process.wait(20) == 0
        assert up.pids() == []


def test_a_stop_in_the_middle_of_the_demo_ends_everything(tmp_path: Path) -> None:
    with running_up(tmp_path, "--demo", "--exit") as up:
        up.wait_for("ready")
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(10) == 130
        assert up.pids() == []


def test_settings_travel_through_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_settings: Callable[..., Settings]
) -> None:
    before = make_settings(redis_url="redis://:s'ecret$@127.0.0.1:1/0", partitions=3, airtable_token="tok", linger_ms=0)
    variables = settings_environment(before)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert load_settings(_env_file=None) == before

    write_environment_file(tmp_path / "environment", variables)
    shell = f'set -a; . {tmp_path}/environment; printf %s "$RUNTALLY_REDIS_URL"'
    told = subprocess.run(["/bin/sh", "-c", shell], env={}, capture_output=True, text=True, check=True)
    assert told.stdout == "redis://:s'ecret$@127.0.0.1:1/0"


def service(name: str, code: str, stage: Stage = Stage.EDGE) -> Service:
    return Service(name, [sys.executable, "-c", code], {"PYTHONUNBUFFERED": "1"}, stage, ready_text="up\n")


LONG = "import time; print('up'); time.sleep(60)"
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
print("up", os.getpid())
print("up")
time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, told: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path, StopSignal(), told.append)
    yield supervisor
    supervisor.end()


def test_a_service_that_does_not_start_shows_the_end_of_its_log(supervisor: Supervisor) -> None:
    with pytest.raises(ServiceFailed, match=r"(?s)broken ended at once \(exit code 3\).*no such luck"):
        supervisor.start(lambda: service("broken", "import sys; print('no such luck'); sys.exit(3)"))


def test_a_service_that_ends_at_once_is_made_again_with_another_port(supervisor: Supervisor) -> None:
    made = iter([service("web", "raise SystemExit('port is taken')"), service("web", LONG)])
    assert supervisor.start(lambda: next(made)).command[-1] == LONG


def test_a_service_that_keeps_dying_is_started_at_longer_intervals(
    supervisor: Supervisor, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    monkeypatch.setattr("cli.up.supervisor.time.monotonic", lambda: now[0])

    class Dying:
        name, starts = "dying", 0

        def start(self) -> None:
            self.starts += 1

        def exit_code(self) -> int:
            return 1

    target = Dying()
    supervisor.watch(target)
    for _ in range(4_000):
        supervisor.tend()
        now[0] += 0.1
    pauses = [line.rpartition(" in ")[2] for line in told]
    assert pauses[:5] == ["1 s", "2 s", "4 s", "5 s", "5 s"]
    assert len(told) - target.starts in {0, 1}


def test_the_end_takes_even_stubborn_services_with_all_they_started(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start_all([lambda: service("stubborn", STUBBORN), lambda: service("base", LONG, Stage.BASE)])
    log = tmp_path / "logs" / "stubborn.log"
    eventually(lambda: log.read_text().count("up ") == 2)
    pids = [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("up ")]
    started_at = time.monotonic()
    supervisor.end()
    assert time.monotonic() - started_at < 8
    assert not any(alive(pid) for pid in pids)
