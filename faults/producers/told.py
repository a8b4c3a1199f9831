"""The ledger of the emitting side: what each process was told was accepted, in files that outlive any end of it.

A file a process: `?` before an emit, `!<monotonic ns> <calendar ns>` after one that returned True. os.write goes to the kernel at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic_ns, time_ns
from typing import NamedTuple

import producers

RUN = "250930-141522"


class Account(NamedTuple):
    """Of one process: how many events it asked for, when each accepted one was accepted, in ns of the system's monotonic clock, and how far
    its calendar's clock was ahead of that one with the last of them, in ns."""

    asked: int
    accepted: list[int]
    calendar_ahead_ns: int


class Told:
    """Emits, and writes down what it was told. Good for threads, and in a forked child, which gets a file of its own."""

    def __init__(self, folder: Path) -> None:
        """Opens nothing until the first event."""
        self._folder = folder
        self._pid = 0
        self._fd = -1

    def emit(self) -> None:
        """One lead processed, for a client that is named after this process."""
        fd = self._open()
        os.write(fd, b"?\n")
        if producers.update_client_metrics(RUN, client_of(os.getpid()), {"leads_processed": 1}):
            os.write(fd, b"!%d %d\n" % (monotonic_ns(), time_ns()))

    def _open(self) -> int:
        if self._pid != os.getpid():
            self._fd = os.open(self._folder / f"{os.getpid()}.told", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._pid = os.getpid()
        return self._fd


def client_of(pid: int) -> str:
    """The client that a process emits for."""
    return f"p{pid}"


def accounts(folder: Path) -> dict[str, Account]:
    """Client -> what the process behind it was told. An emit that was cut off is asked for, and not accepted."""
    found = {}
    for path in folder.glob("*.told"):
        # The last line may be in the midst of being written.
        lines = path.read_bytes().rpartition(b"\n")[0].splitlines()
        told = [line[1:].split() for line in lines if line.startswith(b"!")]
        ahead = int(told[-1][1]) - int(told[-1][0]) if told else 0
        found[client_of(int(path.stem))] = Account(sum(line == b"?" for line in lines), [int(moment) for moment, _ in told], ahead)
    return found
