"""Whatever a job sends over HTTP is a sign of life: its lock begins anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from contract.errors import RuntallyError
from contract.link import Link
from producers.exclusive.scope import Scope
from producers.gateway.jobs import holding, started

if TYPE_CHECKING:
    from contract.settings import Settings
    from producers.gateway.store import Store

_PAUSE_S = 15.0
_LOST_PAUSE_S = 3_600.0
_MOST_REMEMBERED = 10_000
_log: Any = structlog.get_logger("runtally.gateway.jobs")


class LockKeeper:
    """One for each event loop. Renews the lock of a run at most every 15 s, beside the requests that bring its events."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Connects to nothing yet."""
        self._store = store
        self._ttl_s = settings.lock_ttl_s
        self._keep_s = settings.retention_s
        self.pause_s = min(_PAUSE_S, settings.lock_ttl_s / 3)
        """How often a lock is renewed, at most."""
        self._due_s: dict[str, float] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def seen(self, runs: Iterable[str]) -> None:
        """The log has events of these runs. Returns at once and never raises."""
        now_s = time.monotonic()
        due = [run for run in set(runs) if self._due_s.get(run, 0.0) <= now_s]
        if not due:
            return
        if len(self._due_s) >= _MOST_REMEMBERED:
            self._due_s.clear()
        for run in due:
            self._due_s[run] = now_s + self.pause_s
        task = asyncio.get_running_loop().create_task(self._renew_all(due))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def renew(self, run: str) -> bool | None:
        """Renew the lock of a job now. False when it is lost; None for a job without one. Raises StoreUnavailable, StoreRefused."""
        return (await self._store.run(lambda link: self._renewed(link, [run])))[0]

    async def end(self, run: str) -> None:
        """The log has the job's end: give its lock back. Raises StoreUnavailable, StoreRefused; safe to repeat."""
        await self._store.run(lambda link: _ended(link, run))

    async def close(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _renew_all(self, runs: Sequence[str]) -> None:
        try:
            renewed = await self._store.run(lambda link: self._renewed(link, runs))
        except RuntallyError as error:
            _log.warning("locks not renewed, trying again with the next event", error=str(error), runs=len(runs))
            return
        for run, ours in zip(runs, renewed, strict=True):
            if ours is False:
                self._due_s[run] = time.monotonic() + _LOST_PAUSE_S
                _log.error("lock lost", run_id=run, reason="it is gone, or another's")

    def _renewed(self, link: Link, runs: Sequence[str]) -> list[bool | None]:
        locks = [standing.lock for standing in started.look(link, runs)]
        return [None if scope is None else self._renew_one(link, run, scope) for run, scope in zip(runs, locks, strict=True)]

    def _renew_one(self, link: Link, run: str, scope: Scope) -> bool:
        started.keep(link, run, self._keep_s)
        return holding.renew(link, scope, run, self._ttl_s)


def _ended(link: Link, run: str) -> None:
    standing = started.mark_done(link, run)
    if standing.start is not None and standing.start.exclusive:
        holding.release(link, standing.start.scope, run)
