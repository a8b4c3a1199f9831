"""A TCP proxy that cuts connections beside certain commands: before they are sent on, half-way, or with the reply unread."""

from __future__ import annotations

import random
import select
import socket
import threading
from collections import Counter

from faults.proxy import CHUNK_BYTES, LOOK_S, Proxy

CUTS = ("before", "halfway", "after", "mid_reply")
"""The command is swallowed; half of it arrives; it is applied and the reply swallowed; half of the reply arrives."""


class Cutter(Proxy):
    """Between clients and the server on the loopback port `target`. Each chunk that holds `word` is cut with the probability `chance`, once
    `cutting` is set; then both sides of the connection are closed. `cuts` counts them by kind."""

    def __init__(self, target: int, *, word: bytes, chance: float, seed: int) -> None:
        super().__init__()
        self._target = target
        self._word = word
        self._chance = chance
        self._rng = random.Random(seed)  # noqa: S311  # moments, no secret
        self.cutting = threading.Event()
        self.cuts: Counter[str] = Counter()

    def carry(self, client: socket.socket) -> None:
        """Both ways, until a side ends or is cut."""
        with socket.create_connection(("127.0.0.1", self._target), timeout=5) as server:
            cut = ""
            while not cut and not self.over.is_set():
                ready, _, _ = select.select([client, server], [], [], LOOK_S)
                for side in ready:
                    chunk = side.recv(CHUNK_BYTES)
                    if not chunk:
                        return
                    if side is client:
                        cut = self._send_on(chunk, client, server)
                    elif not cut:
                        client.sendall(chunk)

    def _send_on(self, chunk: bytes, client: socket.socket, server: socket.socket) -> str:
        """To the server; which cut was made, if one was."""
        if self._word not in chunk or not self.cutting.is_set() or self._rng.random() >= self._chance:
            server.sendall(chunk)
            return ""
        cut = self._rng.choice(CUTS)
        self.cuts[cut] += 1
        if cut == "halfway":
            server.sendall(chunk[: len(chunk) // 2])
        elif cut != "before":
            server.sendall(chunk)
            # It answers when it has applied the first of the commands, at least.
            reply = server.recv(CHUNK_BYTES)
            if cut == "mid_reply":
                client.sendall(reply[: len(reply) // 2])
        return cut
