"""Child processes of a measurement: started, read, and ended whatever happens."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from embedded import tethered

ROOT = Path(__file__).parents[1]

_END_S = 8.0


class ChildFailed(Exception):
    """A child process ended with an error; the text ends with what it said."""


class Children:
    """A context manager: every child started through it is gone when it is left, also on Ctrl-C. Used from the main thread.

    Children run in a directory of their own, which is removed, read no `.env`, and get `environment` on top of ours. They
    stand in process groups of their own, so that Ctrl-C in a terminal reaches us alone, and die with us if we are killed.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        self._folder = tempfile.TemporaryDirectory(prefix="runtally-bench-")
        self._running: list[subprocess.Popen[bytes]] = []

    @property
    def folder(self) -> Path:
        """Where the children run; each one's stderr is in a file of it, `<number>.log`."""
        return Path(self._folder.name)

    def start(self, *arguments: str, stdin: int | None = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start this Python with `arguments` (`-m`, module …). Its stdout is a pipe; so is its stdin, if asked for."""
        log = self.folder / f"{len(list(self.folder.glob('*.log')))}.log"
        with log.open("wb") as stderr:
            child = subprocess.Popen(
                tethered([sys.executable, *arguments]),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=self.folder,
                env=self._environment,
                process_group=0,
            )
        child.log = log  # type: ignore[attr-defined]  # kept with the process it belongs to
        self._running.append(child)
        return child

    def answer(self, *arguments: str) -> Any:
        """Run a child to its end; the JSON it wrote. Raises ChildFailed."""
        return answer_of(self.start(*arguments))

    def end(self, child: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
        """Send `how`, wait, kill its whole group after 8 s. It is gone when this returns."""
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(how)
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _kill_group(child)
        for pipe in (child.stdout, child.stdin):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        if child in self._running:
            self._running.remove(child)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for child in list(self._running):
            self.end(child, signal.SIGKILL if error is not None else signal.SIGTERM)
        self._folder.cleanup()


def answer_of(child: subprocess.Popen[bytes]) -> Any:
    """The JSON that a child writes before it ends. Raises ChildFailed."""
    assert child.stdout is not None
    text = child.stdout.read()
    if child.wait() != 0:
        raise ChildFailed(f"exit code {child.returncode}: {last_lines(child)}")
    return json.loads(text)


def await_line(child: subprocess.Popen[bytes]) -> str:
    """The next line that a child writes to stdout. Raises ChildFailed when it ends instead."""
    stdout: IO[bytes] | None = child.stdout
    assert stdout is not None
    line = stdout.readline()
    if not line:
        raise ChildFailed(f"ended with {child.wait()}: {last_lines(child)}")
    return line.decode().strip()


def last_lines(child: subprocess.Popen[bytes]) -> str:
    """The end of what a child wrote to stderr."""
    log: Path = child.log  # type: ignore[attr-defined]
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def wait_until(what: str, timeout_s: float, child: subprocess.Popen[bytes] | None, ready: Any) -> None:
    """Poll `ready()` each 5 ms until it is true. Raises ChildFailed after `timeout_s`, or when `child` has ended."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if child is not None and child.poll() is not None:
            raise ChildFailed(f"{what}: the process ended with {child.returncode}: {last_lines(child)}")
        if time.monotonic() > deadline:
            raise ChildFailed(f"{what}: not within {timeout_s:.0f} s" + (f": {last_lines(child)}" if child else ""))
        time.sleep(0.005)


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    """A prefork worker's children stand in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
