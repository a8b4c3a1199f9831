"""A TCP relay that can be pointed at another server: what a failover is to those who know one address."""

from __future__ import annotations

import select
import socket

from faults.proxy import CHUNK_BYTES, LOOK_S, Proxy


class Relay(Proxy):
    """Between clients and a server on the loopback port `target`."""

    def __init__(self, target: int) -> None:
        super().__init__()
        self._target = target
        self._turns = 0

    def turn_to(self, target: int) -> None:
        """From now on connections lead to this port; those that there are end."""
        self._target = target
        self._turns += 1

    def carry(self, client: socket.socket) -> None:
        """Both ways, until a side ends or the relay is turned."""
        turns = self._turns
        with socket.create_connection(("127.0.0.1", self._target), timeout=5) as server:
            while turns == self._turns and not self.over.is_set():
                ready, _, _ = select.select([client, server], [], [], LOOK_S)
                for side in ready:
                    chunk = side.recv(CHUNK_BYTES)
                    if not chunk:
                        return
                    (server if side is client else client).sendall(chunk)
