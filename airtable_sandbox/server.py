"""Running the sandbox: as a process of its own, or in a thread beside a test."""

from __future__ import annotations

import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

import uvicorn

from airtable_sandbox.app import SandboxApp
from airtable_sandbox.cut import CuttableProtocol
from airtable_sandbox.gate import Gate
from airtable_sandbox.limits import Limiter, Limits
from airtable_sandbox.remote import Remote
from airtable_sandbox.workspace import Workspace

_GRACE_S = 1  # for calls in progress when the server is told to stop
_START_S = 10.0


class _Server(uvicorn.Server):
    """uvicorn's server, which tells when it is ready, ends hanging calls when it stops, and leaves the process's exit to its caller."""

    def __init__(self, gate: Gate, token: str) -> None:
        super().__init__(
            uvicorn.Config(
                SandboxApp(gate, token),
                http=CuttableProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # who asks decides what the page shows: nobody may claim to be another
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        self._gate = gate
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gate.stopping.set()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stops on SIGTERM and SIGINT without raising them again afterwards: the data file is closed and the exit code is 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the shape of a signal handler
        self.should_exit = True


def _listen(host: str, port: int) -> tuple[socket.socket, str]:
    """A listening socket and its URL. Raises OSError when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    # asyncio sets this only on sockets whose protocol number was given; without it each answer waits 40 ms for an ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    return listening, f"http://{shown}:{listening.getsockname()[1]}"


def _open(data_path: str) -> Workspace:
    """Raises OSError for a file that is no data file, or that another sandbox has open."""
    try:
        return Workspace(data_path)
    except sqlite3.DatabaseError as error:
        raise OSError(f"data file {data_path}: {error}") from error


def serve(
    host: str,
    port: int,
    data_path: str,
    token: str,
    *,
    limits: Limits | None = None,
    announce: Callable[[str], object] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, then returns within 2 s; must be called from the main thread for that.

    `port` 0 takes a free one; `announce` is called with the URL once calls are answered. The data file is created when it is
    missing. Raises OSError when the address is taken or the file cannot be used, ValueError for an empty token.
    """
    if not token:
        raise ValueError("the sandbox needs a token")
    workspace = _open(data_path)
    try:
        listening, url = _listen(host, port)
        server = _Server(Gate(workspace, Limiter(limits or Limits(), workspace.storage)), token)
        if announce is not None:
            threading.Thread(target=lambda: server.ready.wait() and announce(url), name="sandbox-announce", daemon=True).start()
        server.run(sockets=[listening])
    finally:
        workspace.close()


class Sandbox(Remote):
    """A sandbox in a background thread, for tests. `with Sandbox(token="…") as sandbox: Api(sandbox.token, endpoint_url=sandbox.url)`.

    Keeps its data in memory unless `data_path` names a file. `url`, `base_id` and the control calls of Remote work inside the
    `with` block only.
    """

    def __init__(self, token: str, *, data_path: str = ":memory:", limits: Limits | None = None) -> None:
        super().__init__("", token)
        if not token:
            raise ValueError("the sandbox needs a token")
        self._data_path = data_path
        self._limits = limits or Limits()

    def __enter__(self) -> Self:
        self._workspace = _open(self._data_path)
        listening, self.url = _listen("127.0.0.1", 0)
        self._server = _Server(Gate(self._workspace, Limiter(self._limits, self._workspace.storage)), self.token)
        self._thread = threading.Thread(target=self._server.run, args=([listening],), name="airtable-sandbox", daemon=True)
        self._thread.start()
        if not self._server.ready.wait(_START_S):
            raise TimeoutError("the sandbox did not start")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._workspace.close()
