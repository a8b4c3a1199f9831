"""What `runtally up --demo` shows to people: in a pipe, in a terminal, and when it is stopped half-way."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

# Everything is started, once or twice a test: on a busy machine that alone takes a minute.
pytestmark = pytest.mark.timeout(420)

ROOT = Path(__file__).parents[2]
WIDTH = 80
DEADLINE_S = 200.0
UP = [sys.executable, "-m", "cli.main", "up", "--demo", "--data-dir", "here"]
RUN_ID = re.compile(r"\d{6}-\d{6}")


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "TERM"}}
    return {**kept, "PYTHONPATH": str(ROOT), "RUNTALLY_FLUSH_INTERVAL_S": "1", **more}


class Terminal:
    """A command in a terminal of its own; `shown` is all that it wrote there."""

    def __init__(self, folder: Path, **more: str) -> None:
        self._ours, theirs = pty.openpty()
        variables = environment(TERM="xterm-256color", COLUMNS=str(WIDTH), **more)
        self.process = subprocess.Popen(UP, cwd=folder, env=variables, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        self.shown = ""

    def read_until(self, text: str | None) -> None:
        """Until this text was shown; None: until the command has let go of the terminal."""
        deadline = time.monotonic() + DEADLINE_S
        while text is None or text not in self.shown:
            readable, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
            assert readable, self.shown
            try:
                self.shown += os.read(self._ours, 65_536).decode(errors="replace")
            except OSError:  # so Linux tells that nobody has the other end open any more
                assert text is None, self.shown
                return

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)


@contextmanager
def terminal(folder: Path, **more: str) -> Iterator[Terminal]:
    opened = Terminal(folder, **more)
    try:
        yield opened
    finally:
        opened.close()


def test_in_a_pipe_it_ends_true_in_plain_lines_that_fit(tmp_path: Path) -> None:
    done = subprocess.run([*UP, "--exit"], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= WIDTH
    assert re.search(r"^  emitted +━+ 466/466 events", done.stdout, re.MULTILINE)
    assert re.search(r"^  folded +━+ 466/466 events", done.stdout, re.MULTILINE)
    assert re.search(r"^  into Airtable +━+ 6/6 rows", done.stdout, re.MULTILINE)
    assert re.search(r"^  Broken Ltd +\S+ +61/120 leads, failed", done.stdout, re.MULTILINE)
    assert "Airtable holds exactly what was emitted" in done.stdout
    assert "466 emitted, 466 folded, 0 repeats dropped" in done.stdout
    assert "6 of 6, after " in done.stdout


def test_in_a_terminal_it_is_live_and_tells_where_to_look(tmp_path: Path) -> None:
    with terminal(tmp_path, NO_COLOR="1") as up:
        up.read_until("run show ")
        assert re.search(r"[1-9]\d*/120 leads", up.shown.partition("120/120")[0]), "the bars moved"
        assert up.shown.count("into Airtable") > 5
        assert not re.search(r"\x1b\[[\d;]*3\dm", up.shown), "NO_COLOR means no colour"
        last = up.shown.partition("It stays up to be looked at.")[2]
        assert "set -a; . here/environment; set +a" in last
        assert len(set(RUN_ID.findall(up.shown))) == 1
        up.process.send_signal(signal.SIGINT)
        up.read_until(None)
        assert up.process.wait(10) == 0
        assert up.shown.rstrip().endswith("stopped")


def test_ctrl_c_half_way_gives_the_terminal_back(tmp_path: Path) -> None:
    for _ in range(2):
        with terminal(tmp_path) as up:
            up.read_until("folded")
            up.process.send_signal(signal.SIGINT)
            told_at = time.monotonic()
            up.read_until(None)
            assert up.process.wait(10) == 130
            assert time.monotonic() - told_at < 10
            assert up.shown.rindex("\x1b[?25h") > up.shown.rindex("\x1b[?25l"), "the cursor is back"
            assert up.shown.rstrip().endswith("stopped")
            assert not working_in(tmp_path)


def working_in(folder: Path) -> list[int]:
    """The processes whose directory is in `folder`; zombies have none."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "cwd").readlink().is_relative_to(folder):
                found.append(int(entry.name))
    return found
