"""Runs that go by another name elsewhere: an Apify run, an OpenLineage run ID, today's webhooks of a kind."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from contract import keys
from contract.settings import Settings
from producers.gateway.store import Store
from producers.runs.named_runs import claim
from producers.runs.run_ids import take_run_id

_MOST_REMEMBERED = 10_000
_REMEMBER_S = 60.0


class NamedRuns:
    """One for each event loop. A name keeps its run for `retention_s` after it was first used."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Connects to nothing yet."""
        self._store = store
        self._settings = settings
        self._known: dict[tuple[str, str], tuple[float, str]] = {}

    async def find(self, kind: str, name: str) -> str | None:
        """The row ID that goes by the name; None if nobody used it yet. Raises StoreUnavailable, StoreRefused."""
        known = self._known.get((kind, name))
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        found = await self._store.call("GET", keys.named_run(kind, name))
        return None if found is None else self._remember(kind, name, found.decode())

    async def run_id(self, kind: str, name: str, *, at: datetime | None = None, candidate: str | None = None) -> str:
        """The row ID that goes by the name: the same for everybody who asks, on every machine.

        Who asks first gives it `candidate`, or else a run ID that is made at `at` (now) and reserved. A crash in between wastes an ID.
        Raises StoreUnavailable, StoreRefused."""
        found = await self.find(kind, name)
        if found is not None:
            return found
        if candidate is None:
            taken = await asyncio.to_thread(take_run_id, self._settings, at or datetime.now(UTC))
            candidate = taken.run_id
        key = keys.named_run(kind, name)
        claimed = await self._store.run(lambda link: claim(link, key, candidate, self._settings.retention_s))
        return self._remember(kind, name, claimed)

    def _remember(self, kind: str, name: str, run_id: str) -> str:
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[kind, name] = (time.monotonic() + _REMEMBER_S, run_id)
        return run_id
