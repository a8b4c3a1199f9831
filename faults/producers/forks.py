"""Fault 11: forks in the producer in mid-emit: os.fork, multiprocessing, process pools, preloading servers, Celery's prefork workers.

What was accepted in any process that ended orderly is counted once.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from benchmarks.children import last_lines, wait_until
from benchmarks.stage import Stage, stage
from embedded import free_port, tethered
from faults.producers.counting import SPOOL, adopt_spools, counted
from faults.producers.forking import WAYS
from faults.producers.told import Account, accounts
from faults.producers.verdict import verdict

NAME = "forks"
PREFORK = "celery_prefork"
PRELOAD = "gunicorn_preload"
_WORKERS = 3
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
        words = ["-m", "celery", "-A", "faults.producers.prefork_app"]
        options = ["worker", "-P", "prefork", "-c", "2", "--without-mingle", "--without-gossip"]
        send = f"from faults.producers.prefork_app import emit\nfor _ in range({tasks}): emit.delay()"
        subprocess.run([sys.executable, "-c", send], env=environment, cwd=folder, check=True, timeout=_END_S)
        with _server(Path(folder), {**environment, "FAULT_WORKER": "1"}, *words, *options) as worker:
            wait_until("half of the tasks", _END_S, worker, lambda: _accepted(Path(folder)) >= tasks * 10 // 2)
            worker.send_signal(signal.SIGTERM)
            faults = _ended(worker)
        return _balance(place, PREFORK, Path(folder), Path(folder) / SPOOL, faults)


def gunicorn_trial(place: Stage, requests: int) -> Forked:
    """gunicorn with preload_app: the master has emitted, its workers do for each request, and are shut down by SIGTERM to the master."""
    with tempfile.TemporaryDirectory(prefix="runtally-told-") as folder:
        environment = {**place.children._environment, "FAULT_LEDGER": folder, "RUNTALLY_REDIS_URL": place.url}
        address = f"127.0.0.1:{free_port()}"
        options = ["--preload", "--workers", str(_WORKERS), "--bind", address, "--graceful-timeout", "20"]
        with _server(Path(folder), environment, "-m", "gunicorn", *options, "faults.producers.preloaded_app:application") as master:
            wait_until("gunicorn", _END_S, master, lambda: _get(address))
            for _ in range(requests):
                _get(address)
            master.send_signal(signal.SIGTERM)
            faults = _ended(master)
        return _balance(place, PRELOAD, Path(folder), Path(folder) / SPOOL, faults)


@contextmanager
def _server(folder: Path, environment: Mapping[str, str], *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """This Python with `words`, in `folder`; killed if it has not ended by itself."""
    log = folder / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(tethered([sys.executable, *words]), env=environment, cwd=folder, stdout=out, stderr=out)
    server.log = log  # type: ignore[attr-defined]
    try:
        yield server
    finally:
        server.kill()
        server.wait()


def _get(address: str) -> bool:
    try:
        with urlopen(f"http://{address}/", timeout=5) as answer:
            return bool(answer.read())
    except OSError:
        return False


def run(seed: int, seconds: float) -> dict[str, Any]:
    """All ways in turn until the time is over; each at least once."""
    rng = random.Random(seed)  # noqa: S311  # moments, no secret
    found: list[Forked] = []
    served = {PREFORK: lambda place: celery_trial(place, 200), PRELOAD: lambda place: gunicorn_trial(place, 200)}
    ways = [*WAYS, *served]
    deadline = time.monotonic() + seconds
    while len(found) < len(ways) or time.monotonic() < deadline:
        way = ways[len(found) % len(ways)]
        with stage() as place:
            found.append(served[way](place) if way in served else trial(place, way, rng.randrange(1 << 30)))
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
