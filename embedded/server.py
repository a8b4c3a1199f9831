"""One Valkey server on the loopback interface, owned by the process that started it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from embedded.binary import server_binary
from embedded.directory import DataDirectory
from embedded.errors import ServerFailed
from embedded.launch import configuration, launch, stop
from embedded.ports import free_port
from embedded.probe import answers

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
_POLL_S = 0.01
_PORT_ATTEMPTS = 20


class EmbeddedValkey:
    """A context manager: entering starts the server and waits until it answers; leaving shuts it down.

    Its password is new for each start, stands only in `url` and comes to the server through its standard input. The server
    dies with the thread that started it (see embedded.tether), writes `server.log` in its directory, never evicts
    (`noeviction`) and keeps an append-only file, fsynced every second, unless `aof` is False. A forked child of the owner
    can neither stop it nor delete its directory. Used by one thread at a time.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        port: int | None = None,
        aof: bool = True,
        maxmemory: str | None = None,
        extra: Sequence[str] = (),
    ) -> None:
        """`data_dir` None: a temporary one, removed at the end. `port` None: a free one. `maxmemory` as Valkey writes it
        (`64mb`), None for no bound. `extra`: further configuration lines, which win. Nothing is started or written yet."""
        self._data_dir = data_dir
        self._wanted_port = port
        self._settings = [
            f"appendonly {'yes' if aof else 'no'}",
            *([f"maxmemory {maxmemory}"] if maxmemory else []),
            *extra,
        ]
        self._directory: DataDirectory | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner_pid = 0
        self.port = port or 0
        self.password = ""

    @property
    def url(self) -> str:
        """`redis://:password@127.0.0.1:port/0`, good for redis-py, Celery and Flower; it holds the password."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """Process ID of the running server. Raises ServerFailed when there is none."""
        if self._process is None:
            raise ServerFailed("the embedded server is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """False before the start and once the server has ended, by whatever cause."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How the server ended (negative: the signal), None while it runs and when it was ended from here."""
        return self._process.poll() if self._process is not None else None

    @property
    def data_dir(self) -> Path:
        """Where it keeps its data and its log. Raises ServerFailed when it was never started."""
        return self._opened().path

    def __enter__(self) -> Self:
        """Start. Raises ServerMissing, DirectoryInUse, ServerFailed; nothing is left behind then."""
        server_binary()
        self._directory = DataDirectory(self._data_dir)
        self._owner_pid = os.getpid()
        _forget_after_fork(self)
        self.password = secrets.token_urlsafe(24)
        try:
            self._start(again=False)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def kill(self) -> None:
        """SIGKILL, as a crash would be, and wait until it is gone. Port, password and data stay for `restart()`."""
        self._stop(signal.SIGKILL)

    def restart(self) -> None:
        """Start again with the same port, password and data; a server that still runs is shut down first. Raises ServerFailed."""
        self._opened()
        self._stop(signal.SIGTERM)
        self._start(again=True)

    def close(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Shut down; it is killed when that takes longer than `timeout_s`. Nothing happens in a forked child or the second time."""
        directory = self._directory
        if directory is None or os.getpid() != self._owner_pid:
            return
        self._stop(signal.SIGTERM, timeout_s)
        self._directory = None
        directory.close()

    def _start(self, *, again: bool) -> None:
        """Free ports are a guess: when the server finds its port taken, another is tried, unless the port must stay."""
        directory = self._opened()
        for attempt in range(_PORT_ATTEMPTS):
            if attempt or not self.port:
                self.port = free_port()
            self._process = launch(directory, configuration(self.port, self.password, self._settings), keep_log=again)
            if self._await_ready():
                return
            log = directory.log_tail()
            self._stop(signal.SIGKILL)
            if "Address already in use" not in log or self._wanted_port or again:
                break
        raise ServerFailed(f"the embedded server did not start on port {self.port}. Its log ends with:\n{log}")

    def _await_ready(self) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.running and time.monotonic() < deadline:
            if answers(self.port, self.password):
                return True
            time.sleep(_POLL_S)
        return False

    def _stop(self, how: signal.Signals, timeout_s: float = STOP_TIMEOUT_S) -> None:
        process, self._process = self._process, None
        if process is not None:
            stop(process, how, timeout_s)

    def _opened(self) -> DataDirectory:
        if self._directory is None:
            raise ServerFailed("the embedded server is not running")
        return self._directory

    def _forget(self) -> None:
        """In a forked child: leave server, lock and directory to the parent."""
        directory, self._directory = self._directory, None
        self._process = None
        if directory is not None:
            directory.forget()


def _forget_after_fork(server: EmbeddedValkey) -> None:
    reference = weakref.ref(server)

    def forget() -> None:
        if (alive := reference()) is not None:
            alive._forget()

    os.register_at_fork(after_in_child=forget)
