"""Fault 11: forks in the producer in mid-emit: os.fork, multiprocessing, process pools, preloading servers, Celery's prefork workers.

What was accepted in any process that ended orderly is counted once. gunicorn's preload is emulated: the master emits, forks workers,
and ends them by SIGTERM.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.children import last_lines, wait_until
from benchmarks.stage import Stage, stage
from embedded import tethered
from faults.producers.counting import SPOOL, adopt_spools, counted
from faults.producers.forking import WAYS
from faults.producers.told import Account, accounts
from faults.producers.verdict import verdict

NAME = "forks"
PREFORK = "celery_prefork"
_END_S = 40.0


@dataclass(frozen=True)
class Forked:
    """A family of processes that have ended. `faults`: what went wrong, in words: an exit code, a hang."""

    way: str
    processes: int
    accepted: int
    lost: int
    doubled: int
    left: int
    """Events that their processes could not deliver in time, and left on disk for another process to send."""
    faults: tuple[str, ...] = ()


def trial(place: Stage, way: str, seed: int) -> Forked:
    """One family, forked in the named way, counted when it has ended."""
    with tempfile.TemporaryDirectory(prefix="runtally-told-") as folder:
        child = place.children.start("-m", "faults.producers.forking", way, folder, str(seed))
        faults = _ended(child)
        place.children.end(child, signal.SIGKILL)
        return _balance(place, way, Path(folder), place.children.folder / SPOOL, faults)


def celery_trial(place: Stage, tasks: int) -> Forked:
    """A prefork worker with two children works off tasks that emit, and is shut down warm while some wait."""
    with tempfile.TemporaryDirectory(prefix="runtally-told-") as folder:
        environment = {**place.children._environment, "FAULT_LEDGER": folder, "RUNTALLY_REDIS_URL": place.url}
        words = [sys.executable, "-m", "celery", "-A", "faults.producers.prefork_app"]
        options = ["worker", "-P", "prefork", "-c", "2", "--without-mingle", "--without-gossip"]
        send = f"from faults.producers.prefork_app import emit\nfor _ in range({tasks}): emit.delay()"
        subprocess.run([sys.executable, "-c", send], env=environment, cwd=folder, check=True, timeout=_END_S)
        log = Path(folder) / "worker.log"
        with log.open("wb") as out:
            worker = subprocess.Popen(
                tethered([*words, *options]), env={**environment, "FAULT_WORKER": "1"}, cwd=folder, stdout=out, stderr=out
            )
        worker.log = log  # type: ignore[attr-defined]
        try:
            wait_until("half of the tasks", _END_S, worker, lambda: _accepted(Path(folder)) >= tasks * 10 // 2)
            worker.send_signal(signal.SIGTERM)
            faults = _ended(worker)
        finally:
            worker.kill()
            worker.wait()
        return _balance(place, PREFORK, Path(folder), Path(folder) / SPOOL, faults)


def run(seed: int, seconds: float) -> dict[str, Any]:
    """All ways in turn until the time is over; each at least once."""
    rng = random.Random(seed)  # noqa: S311  # moments, no secret
    found: list[Forked] = []
    ways = [*WAYS, PREFORK]
    deadline = time.monotonic() + seconds
    while len(found) < len(ways) or time.monotonic() < deadline:
        way = ways[len(found) % len(ways)]
        with stage() as place:
            found.append(celery_trial(place, 200) if way == PREFORK else trial(place, way, rng.randrange(1 << 30)))
    faults = [fault for one in found for fault in one.faults]
    lost, doubled = sum(one.lost for one in found), sum(one.doubled for one in found)
    details = {
        "families": len(found),
        "processes": sum(one.processes for one in found),
        "accepted": sum(one.accepted for one in found),
        "left_on_disk": sum(one.left for one in found),
        "faults": faults,
    }
    return verdict(NAME, seed, lost=lost, doubled=doubled, ok=not (lost or doubled or faults), details=details)


def _accepted(folder: Path) -> int:
    return sum(len(account.accepted) for account in accounts(folder).values())


def _ended(child: subprocess.Popen[bytes]) -> tuple[str, ...]:
    """What is wrong with the end of a process: nothing, or a code, or that it does not come."""
    try:
        code = child.wait(_END_S)
    except subprocess.TimeoutExpired:
        return (f"still there after {_END_S:.0f} s: {last_lines(child)}",)
    return (f"ended with {code}: {last_lines(child)}",) if code else ()


def _balance(place: Stage, way: str, folder: Path, spool: Path, faults: tuple[str, ...]) -> Forked:
    told, counts = accounts(folder), counted(place)
    left = _missing(told, counts)
    if left:
        adopt_spools(place, spool)
        counts = counted(place)
    doubled = sum(max(0, counts.get(client, 0) - account.asked) for client, account in told.items())
    accepted = sum(len(account.accepted) for account in told.values())
    lost = _missing(told, counts)
    return Forked(way, len(told), accepted, lost, doubled, left - lost, faults)


def _missing(told: Mapping[str, Account], counts: Mapping[str, int]) -> int:
    return sum(max(0, len(account.accepted) - counts.get(client, 0)) for client, account in told.items())
