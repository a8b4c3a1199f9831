"""A command as a child: its output passed through live while the last of it is kept, signals passed on, its end as a shell tells it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import IO, Any

from cli.tail import Tail

_CHUNK_BYTES = 65_536
_AFTERMATH_S = 2.0
"""How long output is waited for that the command's own children may still hold open after its end."""

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
_NOT_FOUND, _NOT_EXECUTABLE, _SIGNALLED = 127, 126, 128


@dataclass(frozen=True)
class Ended:
    """How a command ended. `reason`: in words. `code`: as a shell tells it, 128 + n for signal n, 127 or 126 if it could not be started."""

    code: int
    reason: str


class Forwarding:
    """From its making on, signals that ask this program to end go to the command instead; to be made in the main thread, first of all.

    One that is ignored here stays ignored there. Ctrl-C reaches a command in the foreground from the terminal itself, so it is not sent a
    second time.
    """

    def __init__(self) -> None:
        self.passed_on: list[str] = []
        """Names of the signals, in order."""
        self._child: subprocess.Popen[bytes] | None = None
        self.early: list[int] = []
        """Signals that came before the command has started."""
        for number in _FORWARDED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def begin(self, child: subprocess.Popen[bytes]) -> None:
        """The command has started."""
        self._child = child
        while self.early:
            self._send(child, self.early.pop(0))

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self._child is None:
            self.early.append(number)
        elif number not in _FROM_TERMINAL or not _in_foreground():
            self._send(self._child, number)

    def _send(self, child: subprocess.Popen[bytes], number: int) -> None:
        self.passed_on.append(signal.Signals(number).name)
        with suppress(ProcessLookupError):
            child.send_signal(number)


def run_child(command: Sequence[str], environment: Mapping[str, str], forwarding: Forwarding, tail: Tail | None) -> Ended:
    """Run the command to its end. Without a `tail` it has this program's own output, be it a terminal. Raises nothing for its failures."""
    if forwarding.early:
        number = forwarding.early[0]
        return Ended(_SIGNALLED + number, f"not started, because of {signal.Signals(number).name}")
    piped = None if tail is None else subprocess.PIPE
    try:
        # close_fds=False: what a shell has opened for the command reaches it. What Python opens is not inherited.
        child = subprocess.Popen(command, env=environment, stdout=piped, stderr=piped, bufsize=0, close_fds=False)
    except FileNotFoundError as error:
        return Ended(_NOT_FOUND, f"cannot start {command[0]}: {error.strerror}")
    except OSError as error:
        return Ended(_NOT_EXECUTABLE, f"cannot start {command[0]}: {error.strerror}")
    forwarding.begin(child)
    pumps = [] if tail is None else [_pump(child.stdout, 1, tail), _pump(child.stderr, 2, tail)]
    code = child.wait()
    deadline = time.monotonic() + _AFTERMATH_S
    for pump in pumps:
        pump.join(max(0.0, deadline - time.monotonic()))
    return _ended(code)


def _pump(source: IO[bytes] | None, target: int, tail: Tail) -> threading.Thread:
    assert source is not None
    pump = threading.Thread(target=_pass_on, args=(source, target, tail), name=f"runtally-output-{target}", daemon=True)
    pump.start()
    return pump


def _pass_on(source: IO[bytes], target: int, tail: Tail) -> None:
    """Until the end of the source. Whoever read the output and went away ends the command's pipe too, as it would without us."""
    with source:
        while chunk := os.read(source.fileno(), _CHUNK_BYTES):
            tail.feed(target, chunk)
            left: Any = memoryview(chunk)
            try:
                while left:
                    left = left[os.write(target, left) :]
            except OSError:
                return


def _ended(code: int) -> Ended:
    if code >= 0:
        return Ended(code, f"exit code {code}")
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return Ended(_SIGNALLED - code, f"ended by {name}")


def _in_foreground() -> bool:
    """Whether this program and its child are who a terminal sends Ctrl-C to."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
