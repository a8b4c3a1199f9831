"""Fault 12: every way for a process to end. What each way promises is kept, and what none can promise has its true figure.

Return, exception, sys.exit, SIGTERM, SIGINT: everything that was accepted is counted once. os._exit and SIGKILL: at most what was accepted
in about the linger window is lost, and nothing of it if it was durable.
"""

from __future__ import annotations

import random
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.children import await_line
from benchmarks.stage import Stage, stage
from faults.producers.counting import SPOOL, adopt_spools, counted, reckon
from faults.producers.told import accounts, client_of
from faults.producers.verdict import verdict

NAME = "exits"

SIGNALS = {
    "sigterm": signal.SIGTERM,
    "sigterm_first_in_thread": signal.SIGTERM,
    "sigint": signal.SIGINT,
    "sigkill": signal.SIGKILL,
    "sigkill_cold": signal.SIGKILL,
}
CODES = {"return": 0, "exception": 1, "sys.exit": 3, "os._exit": 4, "sigint": 1}
"""Exit codes; a way that is not here ends by its signal."""

ORDERLY = ("return", "exception", "sys.exit", "sigterm", "sigint")
SUDDEN = ("os._exit", "sigkill")
COLD = "sigkill_cold"
"""Killed before the sender has loaded its imports and connected: nothing is promised of these first events."""

USUAL_WINDOW_S = 0.06
"""What `about the linger window` comes to: 20 ms until a batch is closed, and as long again to send it and hear of it, at the median."""

WINDOW_S = 0.5
"""What a single one may come to on a busy machine, where the sender's thread has to wait for a core."""


@dataclass(frozen=True)
class Trial:
    """One process that ended. `window_s`: how long before its end the first lost event was accepted, 0 if none is lost."""

    way: str
    durable: bool
    exit_code: int
    accepted: int
    lost: int
    doubled: int
    window_s: float
    recovered_s: float


def trial(place: Stage, way: str, *, durable: bool, seed: int) -> Trial:
    """Start a process, end it, let another adopt what it left on disk if that is promised, and count."""
    rng = random.Random(seed)  # noqa: S311  # a moment, no secret
    with tempfile.TemporaryDirectory(prefix="runtally-told-") as folder:
        place.children._environment["RUNTALLY_DURABLE"] = str(durable)
        child = place.children.start("-m", "faults.producers.ending", way, folder)
        await_line(child)
        if way in SIGNALS:
            time.sleep(rng.uniform(0, 0.1))
            child.send_signal(SIGNALS[way])
        ended_ns = time.monotonic_ns()
        code = child.wait(30)
        begin = time.monotonic()
        if durable or way in ORDERLY:
            # An orderly end stores what it could not deliver in `drain_timeout_s`.
            adopt_spools(place, place.children.folder / SPOOL)
        account = accounts(Path(folder))[client_of(child.pid)]
        found = reckon(account, counted(place).get(client_of(child.pid), 0))
        place.children.end(child)
    window_s = max(0.0, (ended_ns - found.lost_since_ns) / 1e9) if found.lost_since_ns else 0.0
    return Trial(way, durable, code, len(account.accepted), found.lost, found.doubled, window_s, time.monotonic() - begin)


def run(seed: int, seconds: float) -> dict[str, Any]:
    """All ways in turn, durable and not, until the time is over; each at least once."""
    plan = [(way, False) for way in (*ORDERLY, *SUDDEN)] + [(way, True) for way in SUDDEN] + [(COLD, False)]
    trials: list[Trial] = []
    deadline = time.monotonic() + seconds
    with stage() as place:
        while len(trials) < len(plan) or time.monotonic() < deadline:
            way, durable = plan[len(trials) % len(plan)]
            trials.append(trial(place, way, durable=durable, seed=seed + len(trials)))
    promised = [one for one in trials if one.way in ORDERLY or one.durable]
    sudden = [one for one in trials if one.way in SUDDEN and not one.durable]
    details = {
        "processes": len(trials),
        "accepted": sum(one.accepted for one in trials),
        "lost_by_sudden_ends_not_durable": sum(one.lost for one in sudden),
        "usual_window_s": round(median(one.window_s for one in sudden), 4),
        "longest_window_s": round(max(one.window_s for one in sudden), 4),
        "longest_window_cold_s": round(max(one.window_s for one in trials if one.way == COLD), 4),
    }
    lost, doubled = sum(one.lost for one in promised), sum(one.doubled for one in trials)
    windows_s = [one.window_s for one in sudden]
    ok = not lost and not doubled and max(windows_s) < WINDOW_S and median(windows_s) < USUAL_WINDOW_S
    recovered_s = max(one.recovered_s for one in trials)
    return verdict(NAME, seed, level="appended, durable", lost=lost, doubled=doubled, recovered_s=recovered_s, ok=ok, details=details)
