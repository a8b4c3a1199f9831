"""kills: the worker is killed with SIGKILL at random moments; every event must be counted once all the same."""

from __future__ import annotations

from typing import Any

from benchmarks.celery_worker import start_beat
from benchmarks.figures import Claim, Report
from benchmarks.killing import Toll, celery, consumer, kill_again_and_again
from benchmarks.screen import Told
from benchmarks.stage import stage

CONSUMER_KILLS, CELERY_KILLS = 50, 25
CONSUMER_S, CELERY_S = 0.05, 0.1
"""The longest life of a worker after it has begun: about what it needs for the events that wait for it."""

BUDGET_S = 300.0
"""No more kills of one kind of worker after so long."""


def measure(told: Told, *, quick: bool, seed: int) -> Report:
    """First a process of nothing but Consumers, then the Celery worker with its beat, each on a fresh server."""
    events = 20_000 if quick else 200_000
    report = Report("kills", f"{events:,} events over 8 partitions, seed {seed}")
    plan: dict[str, Any] = {"events": events, "seed": seed, "budget_s": BUDGET_S}
    number = CONSUMER_KILLS // (5 if quick else 1)
    told(f"killing a consumer {number} times")
    with stage() as place:
        toll = kill_again_and_again(place, consumer, kills=number, longest_s=CONSUMER_S, **plan)
    _tell(report, "a process of Consumers", toll)
    number = CELERY_KILLS // (5 if quick else 1)
    told(f"killing celery -A worker worker {number} times")
    with stage() as place:
        # Beat lives through it all: it rings for what a doorbell was lost for.
        start_beat(place.children)
        toll = kill_again_and_again(place, celery(place), kills=number, longest_s=CELERY_S, **plan)
    _tell(report, "celery -A worker worker", toll)
    report.notes.append("The leases of the dead are deleted, which saves up to 10 s a kill and guards no count.")
    return report


def _tell(report: Report, what: str, toll: Toll) -> None:
    report.add(f"{what}: kills", "", [toll.kills])
    report.add("  of them with events not yet folded", "", [toll.at_work])
    report.add("  events lost", "", [toll.balance.lost])
    report.add("  events doubled", "", [toll.balance.doubled])
    report.add("  whole time", "s", [toll.took_s])
    told = f"{toll.balance.lost} lost, {toll.balance.doubled} doubled"
    report.claims.append(Claim(f"{what}: every row equals one fold of the whole log", told, not toll.balance.faults))
    report.faults += [f"{what}: {fault}" for fault in toll.balance.told]
