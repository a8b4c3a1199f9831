"""A TCP relay that can be pointed at another server: what a failover is to those who know one address."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 1 << 20
_LOOK_S = 0.05


class Relay:
    """A context manager, between clients and a server on the loopback port `target`."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._turns = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        """Where clients connect, on the loopback interface."""
        return int(self._listener.getsockname()[1])

    def turn_to(self, target: int) -> None:
        """From now on connections lead to this port; those that there are end."""
        self._target = target
        self._turns += 1

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="faults-relay", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        self._listener.settimeout(_LOOK_S)
        while not self._over.is_set():
            with suppress(TimeoutError):
                self._start(self._carry, self._listener.accept()[0])

    def _carry(self, client: socket.socket) -> None:
        turns = self._turns
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._target), timeout=5) as server:
            while turns == self._turns and not self._over.is_set():
                ready, _, _ = select.select([client, server], [], [], _LOOK_S)
                for side in ready:
                    chunk = side.recv(_CHUNK_BYTES)
                    if not chunk:
                        return
                    (server if side is client else client).sendall(chunk)
