"""What was counted: the log folded to its end, and the rows of one run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.children import wait_until
from benchmarks.stage import Stage
from contract import keys
from contract.registry import load_registry
from faults.producers.told import RUN, Account
from producers.publisher import Publisher
from producers.spool.folder import folders
from worker.consume import Consumer
from worker.store.reader import Reader

SPOOL = Path(".runtally/spool")
"""Where children keep their spool, from the folder they run in."""

_DRAIN_S = 60.0
REGISTRY = load_registry()


class Reckoning(NamedTuple):
    """`lost`: accepted and not counted. `doubled`: counted and never asked for. `lost_since_ns`: when the first lost one was accepted."""

    lost: int
    doubled: int
    lost_since_ns: int | None


def counted(place: Stage, run: str = RUN) -> dict[str, int]:
    """Client -> leads counted, once the log of the run's partition is folded."""
    settings = place.settings()
    consumer = Consumer(settings, REGISTRY, keys.partition_of(run, settings.partitions))
    try:
        wait_until("the log folded", _DRAIN_S, None, lambda: consumer.turn(budget_s=_DRAIN_S).drained)
    finally:
        consumer.close()
    return {
        row.client: int(row.metrics.get("Leads Processed", 0)) for row in Reader(place.link, settings.partitions, REGISTRY).clients(run)
    }


def reckon(account: Account, count: int) -> Reckoning:
    """One process that emitted from one thread, so that what is lost is the last it was told."""
    lost = max(0, len(account.accepted) - count)
    return Reckoning(lost, max(0, count - account.asked), account.accepted[count] if lost else None)


def adopt_spools(place: Stage, spool: Path) -> float:
    """Let a live publisher send what dead ones left on disk; how long it took, in seconds."""
    begin = time.monotonic()
    publisher = Publisher(place.settings(spool_dir=spool))
    publisher.emit("job.started", {"run_id": RUN})
    try:
        wait_until("the spools sent", _DRAIN_S, None, lambda: publisher.flush(0.1) == 0 and not list(folders(spool)))
    finally:
        publisher.close()
    return time.monotonic() - begin
