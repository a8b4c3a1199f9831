"""Run a program that dies with its parent, whatever ends the parent (Linux; elsewhere the program outlives a SIGKILL).

A small program of its own rather than a `preexec_fn`, which may deadlock when the parent has threads and which runs every
fork hook of the parent. Source: prctl(2), PR_SET_PDEATHSIG; it survives exec.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def tethered(command: Sequence[str]) -> list[str]:
    """The command line that becomes `command` (same process ID) and is killed when the calling *thread* ends.

    Start it from the main thread, or one that lives as long as the program shall: Linux looks at the thread."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main() -> None:
    """Arguments: the parent's process ID, then the program and its arguments. Does not return."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl") and libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    # The parent may have died before the call above; its child was then given to another process.
    if os.getppid() != parent:
        sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606  # the caller's own command, no shell
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
