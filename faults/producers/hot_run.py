"""Fault 20: one hot run: a million events of 10,000 clients, all in one partition, one batch in a hundred sent twice.

Totals are exact, and the worker's memory follows from its caches, not from the number of events.
"""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from benchmarks.children import answer_of, wait_until
from benchmarks.ledger import balance
from benchmarks.stage import Stage, stage
from benchmarks.workload import Workload, append, make
from contract import keys
from faults.producers.counting import REGISTRY
from faults.producers.verdict import verdict
from worker.maintain import trim
from worker.store.reader import Reader

NAME = "hot_run"

EVENTS, CLIENTS = 1_000_000, 10_000
ROUND_EVENTS = 100_000
MOST_MIB = 400.0
_FOLD_S = 300.0


@dataclass(frozen=True)
class Heat:
    """`faults`: what is wrong with the rows, in words. `rate`: events a second while the worker was folding."""

    events: int
    lost: int
    doubled: int
    faults: list[str]
    rate: float
    first_mib: float
    peak_mib: float
    recovered_s: float


def trial(place: Stage, *, events: int, clients: int, round_events: int, seed: int, until: float = float("inf")) -> Heat:
    """Rounds of events, each folded and trimmed before the next, by one worker that goes on living; no more rounds after `until`."""
    worker = place.children.start("-m", "faults.producers.hot_worker", stdin=subprocess.PIPE)
    sums: dict[str, Counter[str]] = {}
    counts: Counter[str] = Counter()
    begin = time.monotonic()
    while counts.total() < events and (not counts or time.monotonic() < until):
        done = make(place.settings(), events=round_events, runs=1, clients=clients, seed=seed + counts.total())
        counts.update(done.counts)
        for row_id, values in done.sums.items():
            sums.setdefault(row_id, Counter()).update(values)
        begin = _fold(place, worker, done)
    recovered_s = time.monotonic() - begin
    assert worker.stdin is not None
    worker.stdin.close()
    told = answer_of(worker)
    total = Workload([], counts.total(), {row_id: dict(values) for row_id, values in sums.items()}, dict(counts))
    found = balance(place.link, place.settings(), REGISTRY, total)
    rate = told["events"] / told["busy_s"]
    return Heat(total.events, found.lost, found.doubled, found.told, rate, told["first_mib"], told["peak_mib"], recovered_s)


def _fold(place: Stage, worker: subprocess.Popen[bytes], done: Workload) -> float:
    """Append, wait until it is folded, trim; when all was appended."""
    settings = place.settings(log_retention_s=0)
    append(place.link, done.batches)
    begin = time.monotonic()
    reader = Reader(place.link, settings.partitions, REGISTRY)
    wait_until("the round folded", _FOLD_S, worker, lambda: reader.backlog() == 0)
    trim(place.link, keys.partition_of(next(iter(done.counts))[:13], settings.partitions), settings)
    return begin


def run(seed: int, seconds: float) -> dict[str, Any]:
    """A million events, or as many rounds as fit into the time."""
    with stage() as place:
        until = time.monotonic() + seconds
        heat = trial(place, events=EVENTS, clients=CLIENTS, round_events=ROUND_EVENTS, seed=seed, until=until)
    details = {
        "events": heat.events,
        "clients": CLIENTS,
        "events_per_s": round(heat.rate),
        "first_mib": round(heat.first_mib),
        "peak_mib": round(heat.peak_mib),
        "faults": heat.faults,
    }
    return verdict(
        NAME,
        seed,
        lost=heat.lost,
        doubled=heat.doubled,
        corrupt=len(heat.faults),
        recovered_s=heat.recovered_s,
        ok=not heat.faults and heat.peak_mib < MOST_MIB,
        details=details,
    )
