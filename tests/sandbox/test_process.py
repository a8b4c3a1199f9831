"""The sandbox as a process of its own: start, stop, kill, start again."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyairtable import Api
from pyairtable.api.table import Table

from airtable_sandbox import FIRST_BASE_ID, Limits, Remote, Sandbox, serve

SCRIPT = """
import sys
from airtable_sandbox import Limits, serve
serve("127.0.0.1", 0, sys.argv[1], "tok", limits=Limits(calls_per_s=10_000, token_calls_per_s=10_000),
      announce=lambda url: print(url, flush=True))
"""


class Process:
    """A sandbox process on a data file; `url` is known once it answers."""

    def __init__(self, data_path: Path) -> None:
        command = [sys.executable, "-c", SCRIPT, str(data_path)]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
        assert self.child.stdout is not None
        self.url = self.child.stdout.readline().strip()
        self.remote = Remote(self.url, "tok")

    def table(self) -> Table:
        return Api("tok", endpoint_url=self.url, timeout=(5, 5), retry_strategy=None).table(FIRST_BASE_ID, "T")

    def end(self, number: int) -> int:
        self.child.send_signal(number)
        return self.child.wait(10)


@pytest.fixture
def data_path(tmp_path: Path) -> Path:
    return tmp_path / "sandbox.db"


@pytest.fixture
def process(data_path: Path) -> Iterator[Process]:
    started = Process(data_path)
    started.table().base.create_table("T", [{"name": "N", "type": "singleLineText"}])
    yield started
    started.child.kill()
    started.child.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_within_two_seconds_even_while_a_call_hangs(process: Process, number: int) -> None:
    process.remote.fault("hang", path="hang")
    address = process.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1]))) as hanging:
        hanging.sendall(b"GET /v0/hang HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer tok\r\n\r\n")
        while not process.remote.counters()["faults"]:  # bounded by the test's own timeout
            pass
        began = time.monotonic()
        assert process.end(number) == 0
        assert time.monotonic() - began < 2
    assert process.child.stderr is not None
    assert process.child.stderr.read() == ""


def test_what_was_answered_survives_kill_9(process: Process, data_path: Path) -> None:
    answered: list[str] = []

    def write() -> None:
        table = process.table()
        while True:
            try:
                made = table.batch_create([{"N": str(len(answered) + at)} for at in range(10)])
            except OSError:
                return
            answered.extend(record["id"] for record in made)

    writer = threading.Thread(target=write)
    writer.start()
    while len(answered) < 100:  # bounded by the test's own timeout
        assert writer.is_alive()
    process.end(signal.SIGKILL)
    writer.join()

    with Sandbox("tok", data_path=str(data_path)) as again:
        rows = again.records("T")
        assert [row["id"] for row in rows][: len(answered)] == answered
        assert len(rows) % 10 == 0  # a batch is there whole or not at all
        assert Api("tok", endpoint_url=again.url).table(again.base_id, "T").schema().fields[0].name == "N"


def test_what_cannot_start_says_why(process: Process, data_path: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="token"):
        serve("127.0.0.1", 0, ":memory:", "")
    with pytest.raises(ValueError, match="token"):
        Sandbox("")
    with pytest.raises(OSError, match="locked"):
        serve("127.0.0.1", 0, str(data_path), "tok")
    with pytest.raises(OSError, match="in use"):
        serve("127.0.0.1", int(process.url.rsplit(":", 1)[1]), str(tmp_path / "other.db"), "tok", limits=Limits())
