"""Start and end the server's process."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import IO

from embedded.binary import server_binary
from embedded.directory import DataDirectory
from embedded.tether import tethered

_SETTINGS = (
    "bind 127.0.0.1",
    "protected-mode yes",
    "daemonize no",
    'save ""',
    "appendfsync everysec",
    "aof-load-truncated yes",
    "maxmemory-policy noeviction",
    "shutdown-timeout 2",
    "tcp-keepalive 60",
    "timeout 0",
)


def configuration(port: int, password: str, settings: Sequence[str]) -> str:
    """The server's configuration; `settings` come last and win."""
    return "\n".join([*_SETTINGS, f"port {port}", f"requirepass {password}", *settings, ""])


def launch(directory: DataDirectory, text: str, *, keep_log: bool) -> subprocess.Popen[bytes]:
    """The server's process, started in `directory` with the configuration `text`, which it reads from its standard input.

    It may end at once: its log says why. Raises ServerMissing."""
    with directory.log.open("ab" if keep_log else "wb") as log, _pipe_holding(text) as stdin:
        return subprocess.Popen(
            tethered([str(server_binary()), "-"]),
            stdin=stdin,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=directory.path,
            # The lock lives as long as the server, even if its owner dies first.
            pass_fds=(directory.lock_fd,),
            # A Ctrl-C in the terminal is for the owner, who stops the server when nobody needs it any more.
            process_group=0,
        )


def _pipe_holding(text: str) -> IO[bytes]:
    """The reading end of a pipe with `text` in it (less than a pipe holds, 64 KB), closed at the other end."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as end:
        end.write(text.encode())
    return os.fdopen(reading, "rb")


def stop(process: subprocess.Popen[bytes], how: signal.Signals, timeout_s: float) -> None:
    """Send `how`, wait up to `timeout_s`, then SIGKILL. The process is gone when this returns."""
    process.send_signal(how)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
