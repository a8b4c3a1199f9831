"""The data directory of one server: locked while it is open, removed afterwards when it was ours to make."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

from embedded.errors import DirectoryInUse, ServerFailed

_LOG_TAIL = 15
_CHILD_ENDS_S = 1.0


class DataDirectory:
    """A locked directory. The lock (flock on `lock`) is shared with the server through `lock_fd`, so it is free only when
    both the opener and the server are gone; a forked child must call `forget()`."""

    def __init__(self, path: Path | None) -> None:
        """`path` is made, private to the user, if missing; None makes a temporary one. Raises DirectoryInUse, ServerFailed."""
        self.temporary = path is None
        self.path = Path(tempfile.mkdtemp(prefix="runtally-")) if path is None else path.absolute()
        self.log = self.path / "server.log"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.lock_fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ServerFailed(f"cannot use the data directory {self.path}: {error.strerror}") from error
        try:
            self._take_lock()
        except OSError as error:
            os.close(self.lock_fd)
            raise DirectoryInUse(f"{self.path} is open in another server: stop that one or use another directory") from error

    def _take_lock(self) -> None:
        """A server that was killed may leave a child that rewrites the append-only file; it shares the lock and ends within moments."""
        deadline = time.monotonic() + _CHILD_ENDS_S
        while True:
            try:
                fcntl.flock(self.lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def log_tail(self) -> str:
        """The last lines of the server's log, for an error message; empty when there is none."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-_LOG_TAIL:])

    def forget(self) -> None:
        """Drop this process' share of the lock and touch nothing else. For a forked child."""
        os.close(self.lock_fd)

    def close(self) -> None:
        """Give the lock up; remove the directory if it is a temporary one. To be called when the server has ended."""
        os.close(self.lock_fd)
        if self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)
