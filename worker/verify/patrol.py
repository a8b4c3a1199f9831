"""The check that beat asks for: a part of the runs at each turn, inside Redis only, until all were seen, and round again."""

from __future__ import annotations

import time
from collections.abc import Callable

from contract import keys
from contract.layout import claim_layout
from contract.link import Link
from contract.registry import Registry
from contract.settings import Settings
from worker.maintain import now_ms
from worker.store.wrong_type import passed_over
from worker.verify.clock import Clock
from worker.verify.finding import Finding
from worker.verify.key_types import check_keys
from worker.verify.one_run import check_run
from worker.verify.snapshot import Snapshots
from worker.verify.told import Told, identity

BUDGET_S = 15.0
"""How long one turn keeps its thread: some 5,000 runs of a few clients."""


class Patrol:
    """Looks over a link that its caller opens. Raises StoreUnavailable and StoreRefused; writes nothing but what it has told."""

    def __init__(self, link: Link, settings: Settings, registry: Registry) -> None:
        self._link = link
        self._settings = settings
        self._registry = registry
        self._snapshots = Snapshots(link, settings.partitions, registry.decimals)
        self._told = Told(link)

    def turn(self, stop: Callable[[], bool] = lambda: False, budget_s: float = BUDGET_S) -> int:
        """Check the runs that come after those of the last turn, as many as there is time for; how many. Nothing is repaired.

        A worker that dies in its turn has it done again.
        """
        claim_layout(self._link, self._settings.partitions)
        clock = Clock(now_ms(self._link), self._settings.retention_s)
        until = time.monotonic() + budget_s
        found = check_keys(self._link, self._settings.partitions)
        checked: list[str] = []
        for run in self._runs():
            if stop() or (checked and time.monotonic() >= until):
                break
            found += self._wrong(run, clock)
            checked.append(run)
        # None: what belongs to no run, which is looked at in each turn.
        self._told.tell(found, frozenset([*checked, None]), clock.now_ms)
        if checked:
            self._link.call("HSET", keys.VERIFY, "after", checked[-1], "checked_ms", clock.now_ms, "runs", len(checked))
        return len(checked)

    def _runs(self) -> list[str]:
        """All runs of the indexes, those first that follow the last one checked."""
        partitions = range(self._settings.partitions)
        indexes = passed_over(self._link.pipeline([("ZRANGE", keys.runs(partition), 0, -1) for partition in partitions]), ())
        runs = sorted(run.decode() for index in indexes for run in index)
        after = (self._link.call("HGET", keys.VERIFY, "after") or b"").decode()
        return [run for run in runs if run > after] + [run for run in runs if run <= after]

    def _wrong(self, run: str, clock: Clock) -> list[Finding]:
        """What is wrong with a run, at both of two looks."""
        found = check_run(self._snapshots.take(run), self._registry, clock)
        if not found:
            return []
        again = {identity(finding) for finding in check_run(self._snapshots.take(run), self._registry, clock)}
        return [finding for finding in found if identity(finding) in again]
