"""A TCP proxy on the loopback interface: what it does with a connection is for those who make one of it."""

from __future__ import annotations

import socket
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from types import TracebackType
from typing import Self

CHUNK_BYTES = 1 << 20
LOOK_S = 0.05
"""How often a connection that says nothing is to be looked after."""


class Proxy(ABC):
    """A context manager: each connection has a thread that carries it, and none is left afterwards."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.over = threading.Event()
        """Set when all connections have to end."""

    @property
    def port(self) -> int:
        """Where clients connect, on the loopback interface."""
        return int(self._listener.getsockname()[1])

    @abstractmethod
    def carry(self, client: socket.socket) -> None:
        """Serve one connection until it ends, or `over` is set. OSError is the end of it, too."""

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="faults-proxy", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        self._listener.settimeout(LOOK_S)
        while not self.over.is_set():
            with suppress(TimeoutError):
                self._start(self._carry, self._listener.accept()[0])

    def _carry(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            self.carry(client)
