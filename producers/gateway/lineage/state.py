"""What the lineage routes of one gateway keep: the mapping, and turns: one run's totals reach the log in the order of their checks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from zlib import crc32

from contract.registry import load_registry
from producers.gateway.lineage.mapping import load_mapping

if TYPE_CHECKING:
    from contract.settings import Settings

_TURNS = 64


class Lineage:
    """One for each event loop. Raises SettingsInvalid for a lineage file or metrics file that cannot be used."""

    def __init__(self, settings: Settings) -> None:
        self.mapping = load_mapping(settings.lineage_file, load_registry(settings.metrics_file))
        self._turns = [asyncio.Lock() for _ in range(_TURNS)]

    @asynccontextmanager
    async def turn(self, row_ids: Iterable[str]) -> AsyncIterator[None]:
        """While the block is open nobody else here has a turn for any of these rows."""
        async with AsyncExitStack() as held:
            # In order, so that two who want the same ones do not wait for each other.
            for number in sorted({crc32(row_id.encode()) % _TURNS for row_id in row_ids}):
                await held.enter_async_context(self._turns[number])
            yield
