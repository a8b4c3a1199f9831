"""fold: events a second that one process reads, decodes, validates, folds and commits; the peer is plain Celery."""

from __future__ import annotations

from typing import Any

from benchmarks import plain_filling
from benchmarks.celery_worker import POOLS, Drained, drain_plain
from benchmarks.figures import Report, ratios
from benchmarks.ledger import balance
from benchmarks.screen import Told
from benchmarks.stage import Stage, stage
from benchmarks.workload import Workload, append, make
from contract.registry import load_registry

SHAPES = {"1,000 rows, 8 partitions": (40, 25), "1,000 rows, 1 partition": (1, 1_000), "20 rows, 1 partition": (1, 20)}
"""Which client rows the events hit at random: how many runs, and how many clients in each."""

ROUNDS = 3
RATIO = 100


def measure(told: Told, *, quick: bool, seed: int) -> Report:
    """In each round a fresh server, on which both sides work one after the other: A B A B A B."""
    events, tasks = (50_000, 1_000) if quick else (250_000, 3_000)
    report = Report("fold", f"{events:,} events of 5 metrics, 1 % of them twice, one process, one thread")
    told(f"making {events:,} events three times")
    with stage() as place:
        workloads = {shape: make(place.settings(), events=events, runs=r, clients=c, seed=seed) for shape, (r, c) in SHAPES.items()}
    told(f"looking for the peer's best pool: {', '.join(POOLS)}")
    pool = max(POOLS, key=lambda name: _peer_round(report, name, tasks // 2, seed).rate)
    ours: dict[str, list[dict[str, Any]]] = {shape: [] for shape in SHAPES}
    theirs: list[Drained] = []
    for number in range(1, ROUNDS + 1):
        for shape, workload in workloads.items():
            told(f"round {number} of {ROUNDS}: Runtally, {shape}")
            with stage() as place:
                ours[shape].append(_fold(report, place, workload))
        told(f"round {number} of {ROUNDS}: plain Celery, {tasks:,} events, pool {pool}")
        theirs.append(_peer_round(report, pool, tasks, seed + number))
    _tell(report, ours, theirs, pool)
    return report


def _fold(report: Report, place: Stage, workload: Workload) -> dict[str, Any]:
    append(place.link, workload.batches)
    place.settle()
    found: dict[str, Any] = place.children.answer("-m", "benchmarks.folding", str(place.pid))
    report.faults += balance(place.link, place.settings(), load_registry(), workload).told
    return found


def _peer_round(report: Report, pool: str, tasks: int, seed: int) -> Drained:
    with stage() as place:
        place.children.answer("-m", "benchmarks.plain_filling", str(tasks), str(seed))
        drained = drain_plain(place.children, place.link, pool, tasks, place.pid)
        for key, sums in plain_filling.expected(tasks, seed).items():
            flat = place.link.call("HGETALL", f"plain:{key}")
            held = {name.decode(): int(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}
            if held != dict(sums):
                report.faults.append(f"plain Celery, {key}: {held}, sent {dict(sums)}")
    return drained


def _tell(report: Report, ours: dict[str, list[dict[str, Any]]], theirs: list[Drained], pool: str) -> None:
    peer_rates = [drained.rate for drained in theirs]
    for shape, found in ours.items():
        rates = [one["events"] / one["took_s"] for one in found]
        report.add(f"Runtally, {shape}", "events/s", rates)
        report.add("  CPU of worker", "µs/event", [one["worker_cpu_s"] * 1e6 / one["events"] for one in found])
        report.add("  CPU of server", "µs/event", [one["server_cpu_s"] * 1e6 / one["events"] for one in found])
        ratio = report.add("  times plain Celery", "×", ratios(rates, peer_rates))
        report.at_least(f"at least {RATIO} times plain Celery, {shape}", ratio, RATIO)
    report.add(f"plain Celery, pool {pool}", "events/s", peer_rates)
    report.add("  CPU of worker", "µs/event", [one.worker_cpu_s * 1e6 / one.events for one in theirs])
    report.add("  CPU of server", "µs/event", [one.server_cpu_s * 1e6 / one.events for one in theirs])
    report.notes.append("Events counted once; repeats are read and dropped in the same time. Every row's totals were checked.")
