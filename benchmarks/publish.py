"""publish: events a second from emit to confirmation; the peer is redis-py with one event an entry, pipelined."""

from __future__ import annotations

from benchmarks.figures import Report, ratios
from benchmarks.screen import Told
from benchmarks.stage import stage

SIDES = {
    "appended": "publisher, delivery appended",
    "fsynced": "publisher, delivery fsynced",
    "xadd": "redis-py, XADD pipelined by 500, not fsynced",
}
ROUNDS = 3


def measure(told: Told, *, quick: bool, seed: int) -> Report:
    """Every side in a process of its own, one after the other, in each of three rounds, each on a fresh server."""
    del seed  # the figures do not depend on the values
    events = 50_000 if quick else 200_000
    report = Report("publish", f"{events:,} events of 5 metrics from emit to confirmed, one process")
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for number in range(1, ROUNDS + 1):
        for side, what in SIDES.items():
            told(f"round {number} of {ROUNDS}: {what}")
            with stage() as place:
                found[side].append(place.children.answer("-m", "benchmarks.publishing", side, str(events)))
    rates = {side: [events / one["took_s"] for one in rounds] for side, rounds in found.items()}
    for side, what in SIDES.items():
        report.add(what, "events/s", rates[side])
        report.add(
            "  CPU of publisher" if side != "xadd" else "  CPU of client", "µs/event", [c["cpu_s"] * 1e6 / events for c in found[side]]
        )
    report.add("appended, times redis-py", "×", ratios(rates["appended"], rates["xadd"]))
    report.notes.append("The time includes imports and connecting; a fsynced event may wait up to a second for the server's fsync.")
    return report
