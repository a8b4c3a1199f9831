"""A worker frozen with SIGSTOP beside its commit, for twice its lease, then woken, while another consumes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.children import ChildFailed, await_line, last_lines
from benchmarks.stage import Stage, stage
from benchmarks.workload import Workload, append, make
from contract.registry import load_registry
from faults.ledger import Reckoning, reckon
from faults.progress import Progress
from faults.verdict import RECOVER_S
from worker.consume import LEASE_S
from worker.store.reader import Reader

NAME = "worker-frozen"
EVENTS_A_SECOND = 1_000
_MOST = 1_000
_TICK_S = 0.05


@dataclass
class Thaw:
    """`freezes`: how often it was frozen and woken; `refused`: its commits that came too late; `recovered_s`: from the last wake, or the
    last arrival if that was later, to rest."""

    freezes: int
    refused: int
    recovered_s: float
    longest_gap_s: float
    found: Reckoning


def run(seed: int, seconds: float) -> dict[str, Any]:
    """The verdict after about `seconds` of it, and one freeze at least."""
    with stage() as place:
        thaw = freeze_and_wake(place, seed=seed, seconds=max(seconds, 2 * LEASE_S), lease_s=LEASE_S, most=_MOST)
    found = thaw.found
    return {
        "fault": NAME,
        "level": "appended",
        "lost": found.lost,
        "doubled": found.doubled,
        "corrupt": found.corrupt,
        "stale": found.stale,
        "longest_gap_s": round(thaw.longest_gap_s, 2),
        "recovered_s": round(thaw.recovered_s, 2),
        "ok": found.clean and thaw.recovered_s <= RECOVER_S and thaw.freezes > 0,
        "seed": seed,
        "details": {"freezes": thaw.freezes, "commits_refused": thaw.refused} | ({} if found.clean else {"differences": found.told}),
    }


def freeze_and_wake(place: Stage, *, seed: int, seconds: float, lease_s: float, most: int) -> Thaw:
    """Events arrive for `seconds` while two workers fold them, one of which freezes itself, `most` times at most; the other goes on.

    Raises ChildFailed when a worker ends, or the log is not folded a minute after the last event and wake."""
    settings = place.settings(batch_events=50)
    workload = make(settings, events=int(EVENTS_A_SECOND * seconds), runs=40, clients=5, seed=seed)
    freezing, steady = (_worker(place, lease_s, seed, number) for number in (most, 0))
    reader = Reader(place.link, settings.partitions, load_registry())
    freezes, well_at, frozen_at = 0, time.monotonic(), 0.0
    with Progress(settings) as progress:
        arriving = _arriving(place, workload, seconds)
        while (arrives := next(arriving, False)) or frozen_at or reader.backlog() or _stopped(freezing):
            now = time.monotonic()
            if frozen_at and now > frozen_at + 2 * lease_s:
                freezing.send_signal(signal.SIGCONT)
                frozen_at, freezes = 0.0, freezes + 1
            elif not frozen_at and _stopped(freezing):
                frozen_at = now
            well_at = now if arrives or frozen_at else well_at
            _check(steady, freezing, well_at)
            time.sleep(_TICK_S)
        recovered_s = time.monotonic() - well_at
    refused = _log(freezing).count("commit refused")
    return Thaw(freezes, refused, recovered_s, progress.longest_gap_s, reckon(settings, workload))


def _worker(place: Stage, lease_s: float, seed: int, most: int) -> subprocess.Popen[bytes]:
    child = place.children.start("-m", "faults.freezing", str(lease_s), str(seed), str(most))
    await_line(child)
    return child


def _arriving(place: Stage, workload: Workload, seconds: float) -> Iterator[bool]:
    """Each step appends what is due by now; ends when all has arrived."""
    begin, done = time.monotonic(), 0
    while done < len(workload.batches):
        due = int(len(workload.batches) * min(1.0, (time.monotonic() - begin) / seconds))
        append(place.link, workload.batches[done:due])
        done = due
        yield True


def _stopped(child: subprocess.Popen[bytes]) -> bool:
    return os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None


def _check(steady: subprocess.Popen[bytes], freezing: subprocess.Popen[bytes], well_at: float) -> None:
    for child in (steady, freezing):
        if child.poll() is not None:
            raise ChildFailed(f"a worker ended with {child.returncode}: {last_lines(child)}")
    if time.monotonic() > well_at + RECOVER_S:
        raise ChildFailed(f"not back within {RECOVER_S:.0f} s: {last_lines(steady)}")


def _log(child: subprocess.Popen[bytes]) -> str:
    log: Path = child.log  # type: ignore[attr-defined]  # kept by benchmarks.children with the process it belongs to
    return log.read_text(errors="replace")
