"""A TCP proxy that cuts connections beside certain commands: before they are sent on, half-way, or with the reply unread."""

from __future__ import annotations

import random
import select
import socket
import threading
from collections import Counter
from contextlib import suppress
from types import TracebackType
from typing import Self

CUTS = ("before", "halfway", "after", "mid_reply")
"""The command is swallowed; half of it arrives; it is applied and the reply swallowed; half of the reply arrives."""

_CHUNK_BYTES = 1 << 20
_LOOK_S = 0.1


class Cutter:
    """A context manager, between clients and the server on the loopback port `target`. Each chunk that holds `word` is cut with the
    probability `chance`, once `cutting` is set; then both sides of the connection are closed. `cuts` counts them by kind."""

    def __init__(self, target: int, *, word: bytes, chance: float, seed: int) -> None:
        self._target = target
        self._word = word
        self._chance = chance
        self._rng = random.Random(seed)  # noqa: S311  # moments, no secret
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self.cutting = threading.Event()
        self.cuts: Counter[str] = Counter()

    @property
    def port(self) -> int:
        """Where clients connect, on the loopback interface."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="faults-cutter", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        self._listener.settimeout(_LOOK_S)
        while not self._over.is_set():
            with suppress(TimeoutError):
                self._start(self._carry, self._listener.accept()[0])

    def _carry(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._target), timeout=5) as server:
            cut = ""
            while not cut and not self._over.is_set():
                ready, _, _ = select.select([client, server], [], [], _LOOK_S)
                for side in ready:
                    chunk = side.recv(_CHUNK_BYTES)
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
            reply = server.recv(_CHUNK_BYTES)
            if cut == "mid_reply":
                client.sendall(reply[: len(reply) // 2])
        return cut
