"""emit: what one call costs its caller; the peers are Celery's `apply_async` and a bare `XADD`."""

from __future__ import annotations

from benchmarks.figures import Report, ratios
from benchmarks.screen import Told
from benchmarks.stage import stage

SIDES = {
    "busy": "run.count, sender always busy",
    "paced": "run.count, 1,000 a second",
    "task": "plain Celery, apply_async",
    "xadd": "redis-py, xadd",
}
CALLS = {"busy": 200_000, "paced": 2_000, "task": 1_000, "xadd": 5_000}
ROUNDS = 3
P50_US, P99_US = 3, 20


def measure(told: Told, *, quick: bool, seed: int) -> Report:
    """Every side in a process of its own, one after the other, in each of three rounds on one server."""
    del seed  # the figures do not depend on the values
    report = Report("emit", "µs for the caller of one event of 5 metrics")
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    with stage() as place:
        for number in range(1, ROUNDS + 1):
            for side, what in SIDES.items():
                told(f"round {number} of {ROUNDS}: {what}")
                calls = CALLS[side] // (4 if quick else 1)
                found[side].append(place.children.answer("-m", "benchmarks.emitting", side, str(calls)))
                place.empty()
    figures = {
        (side, name): report.add(f"{SIDES[side]}, {name}", "µs", [one[name] for one in found[side]])
        for side in SIDES
        for name in ("p50", "p99", "max")
    }
    for peer in ("task", "xadd"):
        report.add(f"{SIDES[peer]}: times run.count, p50", "×", ratios(figures[peer, "p50"].values, figures["busy", "p50"].values))
    report.at_most(f"at most {P50_US} µs at the median, sender busy", figures["busy", "p50"], P50_US)
    report.at_most(f"at most {P99_US} µs at p99, sender busy", figures["busy", "p99"], P99_US)
    report.notes.append("The worst call is one in which Python's garbage collector looks at the whole heap, waiting events among it.")
    return report
