"""Redis for request handlers: a few small commands, in a thread, so that the event loop never waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from contract.errors import StoreUnavailable
from contract.layout import claim_layout
from contract.link import Link
from contract.settings import Settings

_TIMEOUT_S = 5.0
T = TypeVar("T")


class Store:
    """One connection, one caller at a time. Not for what must not be repeated: a lost connection is tried once more."""

    def __init__(self, settings: Settings) -> None:
        """Connects to nothing yet."""
        self._partitions = settings.partitions
        self._link = Link(settings.redis_url.get_secret_value(), name="runtally-gateway-store", timeout_s=_TIMEOUT_S)
        self._lock = threading.Lock()
        self._epoch = 0

    async def call(self, *command: str | bytes | int | float) -> Any:
        """The reply to one command. Raises StoreUnavailable, StoreRefused, LayoutMismatch."""
        return await self.run(lambda link: link.call(*command))

    async def run(self, work: Callable[[Link], T]) -> T:
        """What `work` returns; it may be run twice. Raises as `call`."""
        return await asyncio.to_thread(self._run, work)

    async def close(self) -> None:
        """Close the connection."""
        await asyncio.to_thread(self._close)

    def _run(self, work: Callable[[Link], T]) -> T:
        with self._lock:
            try:
                return self._once(work)
            except StoreUnavailable:
                return self._once(work)

    def _once(self, work: Callable[[Link], T]) -> T:
        if self._link.open() != self._epoch:
            claim_layout(self._link, self._partitions)
            self._epoch = self._link.epoch
        return work(self._link)

    def _close(self) -> None:
        with self._lock:
            self._link.close()
