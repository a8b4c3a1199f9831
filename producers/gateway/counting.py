"""The counters of all gateways, added up in Redis, where they outlive the process and the health check shows them."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from contract import keys
from contract.errors import RuntallyError, StoreRefused

if TYPE_CHECKING:
    from producers.gateway.store import Store

_PAUSE_S = 2.0


class Counting:
    """One for each event loop. Adds what was counted since in one round trip every 2 s, beside the requests.

    While Redis is away the counts wait here, and come late. A process that is killed loses those of its last 2 s; an answer lost on the
    way may add those of 2 s twice: nothing else follows from these numbers.
    """

    def __init__(self, store: Store, counters: Counter[str]) -> None:
        """`counters`: what this process has counted so far. Connects to nothing yet."""
        self._store = store
        self._counters = counters
        self._told: Counter[str] = Counter()
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. To be called in the event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Add what is left, if Redis is there, and end."""
        self._ending.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        # Not cancelled: what is on its way would be added once more.
        while not self._ending.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _PAUSE_S)
            await self._tell()

    async def _tell(self) -> None:
        new = {name: count - self._told[name] for name, count in self._counters.items() if count != self._told[name]}
        if not new:
            return
        commands = [("HINCRBY", keys.GATEWAY_COUNTERS, name, count) for name, count in new.items()]
        with suppress(RuntallyError):
            replies = await self._store.run(lambda link: link.pipeline(commands))
            for (name, count), reply in zip(new.items(), replies, strict=True):
                if not isinstance(reply, StoreRefused):
                    self._told[name] += count
