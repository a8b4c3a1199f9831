"""Fault 14: clocks that jump by days, or drift, at one producer and one worker (libfaketime, from the package `faketime`).

Numbers are exact, and who is alive is decided by the server's clock: neither a producer from the future nor one from the past is taken
for silent, and a lease does not break. Only the calendar's clock is wrong: the monotonic one, which no administrator can set, is left.
"""

from __future__ import annotations

import random
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.children import Children, await_line, wait_until
from benchmarks.ledger import balance
from benchmarks.stage import Stage, stage
from benchmarks.workload import append, make
from contract import keys
from faults.producers.counting import REGISTRY, counted
from faults.producers.told import RUN, Account, accounts, client_of
from faults.producers.verdict import verdict
from worker.store.reader import Reader
from worker.sweep import sweep

NAME = "clocks"
_CACHED_S = 1

SHIFTS = ("+3d", "-3d", "+0 x3", "-2d x0.3")
"""As libfaketime writes them: ahead, behind, three times too fast, behind and too slow."""

LEAPS_DAYS = (2, -5, -1)
"""How far a clock is off after it leapt."""

_DRAIN_S = 60.0
_DAY_NS = 86_400 * 1_000_000_000


def library() -> Path | None:
    """libfaketime for programs with threads; None where it is not installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


@dataclass(frozen=True)
class Clock:
    """The calendar's clock of some child processes."""

    children: Children
    _file: Path

    def set(self, shift: str) -> None:
        """Their clock is to be off by this. Each of them notices by itself, a second or two later: wait for a sign of it."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{shift}\n")
        fresh.rename(self._file)


@contextmanager
def wrong_clock(url: str, shift: str, **environment: str) -> Iterator[Clock]:
    """Children whose clock is off. Raises FileNotFoundError without libfaketime."""
    found = library()
    if found is None:
        raise FileNotFoundError("libfaketime is not installed: apt-get install faketime")
    with tempfile.TemporaryDirectory(prefix="runtally-clock-") as folder:
        file = Path(folder) / "clock"
        faked = {
            "LD_PRELOAD": str(found),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            # Looking at the file at every call, and faking the times of files, makes an import take half a minute.
            "FAKETIME_CACHE_DURATION": str(_CACHED_S),
            "NO_FAKE_STAT": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            # Its repair for glibc before 2.31 makes waits with a deadline on the monotonic clock last for days.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }
        file.write_text(f"{shift}\n")
        with Children({"RUNTALLY_REDIS_URL": url, **faked, **environment}) as children:
            yield Clock(children, file)


@dataclass(frozen=True)
class Emitted:
    """What became of a producer whose clock was off. `seen_off_s`: how far the row's last sign of life is from the server's clock.
    `silent`: rows that the sweeper took for dead while they were not."""

    accepted: int
    lost: int
    doubled: int
    seen_off_s: float
    start_off_s: float
    silent: int


def producer_trial(place: Stage, shift: str, then_days: int | None) -> Emitted:
    """A producer emits with its clock off by `shift`, and from the middle on by `then_days`, until it is asked to end."""
    with tempfile.TemporaryDirectory(prefix="runtally-told-") as folder, wrong_clock(place.url, shift) as clock:
        child = clock.children.start("-m", "faults.producers.ending", "sigterm", folder)
        await_line(child)
        client = client_of(child.pid)
        if then_days is not None:
            clock.set(f"{then_days:+d}d")
            wait_until("an event by the new clock", 90, child, lambda: _days_off(accounts(Path(folder))[client]) == then_days)
            begin = len(accounts(Path(folder))[client].accepted)
            wait_until("events by the new clock", 90, child, lambda: len(accounts(Path(folder))[client].accepted) > begin + 200)
        wait_until("the first events counted", 20, child, lambda: counted(place).get(client))
        silent = sweep(place.link, place.settings(stale_after_s=60))
        child.send_signal(signal.SIGTERM)
        # Under libfaketime a wait with a deadline may last many times as long.
        child.wait(90)
        count, account = counted(place)[client], accounts(Path(folder))[client]
    (row,) = [row for row in Reader(place.link, place.settings().partitions, REGISTRY).clients(RUN) if row.client == client]
    assert row.start is not None
    lost = max(0, len(account.accepted) - count)
    doubled = max(0, count - account.asked)
    start_off_s = row.start.timestamp() - time.time()
    return Emitted(len(account.accepted), lost, doubled, abs(row.seen_ms / 1000 - time.time()), start_off_s, silent)


def _days_off(account: Account) -> int:
    """By how many whole days a process' calendar differed from ours with the last event that it emitted."""
    return round((account.calendar_ahead_ns - (time.time_ns() - time.monotonic_ns())) / _DAY_NS)


def worker_trial(place: Stage, shift: str, then: str, *, events: int, seed: int) -> list[str]:
    """A worker with a wrong clock that leaps, beside one with the right one, fold the same log; what is wrong with the rows afterwards."""
    settings = place.settings(batch_events=50)
    workload = make(settings, events=events, runs=8, clients=5, seed=seed)
    half = len(workload.batches) // 2
    append(place.link, workload.batches[:half])
    reader = Reader(place.link, settings.partitions, REGISTRY)
    with wrong_clock(place.url, shift) as clock:
        wrong = clock.children.start("-m", "faults.producers.folding")
        await_line(wrong)
        right = place.children.start("-m", "faults.producers.folding")
        await_line(right)
        clock.set(then)
        await_line(wrong)
        append(place.link, workload.batches[half:])
        wait_until("the log folded", _DRAIN_S, wrong, lambda: reader.backlog() == 0)
        place.children.end(right, signal.SIGKILL)
        # The right one may have died with leases in hand: the wrong one must get them when they end by the server's clock.
        place.link.call("XADD", keys.log(workload.batches[0][0]), "*", "batch", "[]")
        wait_until("the log folded by the worker with the wrong clock", _DRAIN_S, wrong, lambda: reader.backlog() == 0)
        clock.children.end(wrong, signal.SIGKILL)
    found = balance(place.link, settings, REGISTRY, workload)
    return [*found.faults, *([f"{found.lost} lost, {found.doubled} doubled"] if found.lost or found.doubled else [])]


def run(seed: int, seconds: float) -> dict[str, Any]:
    """Producers and workers with one wrong clock after the other, until the time is over; each at least once."""
    if library() is None:
        return verdict(NAME, seed, ok=False, details={"not_run": "libfaketime is not installed: apt-get install faketime"})
    rng = random.Random(seed)  # noqa: S311  # clocks, no secret
    emitted: list[Emitted] = []
    faults: list[str] = []
    deadline = time.monotonic() + seconds
    while len(emitted) < len(SHIFTS) or time.monotonic() < deadline:
        shift = SHIFTS[len(emitted) % len(SHIFTS)]
        with stage() as place:
            emitted.append(producer_trial(place, shift, rng.choice([None, 0, *LEAPS_DAYS])))
        with stage() as place:
            then = f"{rng.choice(LEAPS_DAYS):+d}d"
            faults += worker_trial(place, shift, then, events=20_000, seed=rng.randrange(1 << 30))
    seen_off_s, silent = max(one.seen_off_s for one in emitted), sum(one.silent for one in emitted)
    details = {
        "rounds": len(emitted),
        "accepted": sum(one.accepted for one in emitted),
        "taken_for_silent": silent,
        "seen_off_s": round(seen_off_s, 1),
        "worker_faults": faults[:5],
    }
    lost, doubled = sum(one.lost for one in emitted), sum(one.doubled for one in emitted)
    ok = not (lost or doubled or faults or silent) and seen_off_s < 60
    return verdict(NAME, seed, lost=lost, doubled=doubled, corrupt=len(faults), ok=ok, details=details)
