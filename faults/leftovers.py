"""No process is left of a fault, whatever became of it: orphans come to us, and we end them (Linux; elsewhere nobody looks).

Source: prctl(2), PR_SET_CHILD_SUBREAPER; proc(5), /proc/<pid>/stat, fields 1, 2 and 4.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_GRACE_S = 2.0
_POLL_S = 0.02


def adopt_orphans() -> None:
    """From now on, processes whose parents are dead are children of this one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_orphans() -> list[str]:
    """Wait a moment for all children of this process to end, kill those that do not; the names of these. Reaps them all.

    A process that dies with its parent needs no killing, only that moment."""
    deadline = time.monotonic() + _GRACE_S
    killed: dict[int, str] = {}
    while children := _children():
        for pid, name in children.items():
            with suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0]:
                    continue
            if time.monotonic() > deadline:
                killed[pid] = name
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_S)
    return sorted(killed.values())


def _children() -> dict[int, str]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
            if int(rest.split()[1]) == os.getpid():
                found[int(folder.name)] = name
    return found
