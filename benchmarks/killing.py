"""Killing a worker with SIGKILL, again and again, while events arrive; and what is left in the rows afterwards."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.celery_worker import start_worker
from benchmarks.children import ChildFailed, Children, await_line, wait_until
from benchmarks.ledger import Balance, balance, rows_of
from benchmarks.reference import differences, folded
from benchmarks.stage import Stage
from benchmarks.workload import Workload, append, make
from contract import keys
from contract.registry import load_registry
from contract.settings import Settings
from worker.store.reader import Reader

RUNS, CLIENTS = 40, 5
COMMIT_EVENTS = 200
BATCH_EVENTS = 50
_DRAIN_S = 60.0

Start = Callable[[Children], subprocess.Popen[bytes]]
"""Starts a worker that is about to fold, or has just begun."""


@dataclass
class Toll:
    """`kills`, and how many of them left events unfolded in the log (`at_work`). `balance.faults` is empty if all is right."""

    kills: int
    at_work: int
    took_s: float
    balance: Balance


def consumer(children: Children) -> subprocess.Popen[bytes]:
    """A process of nothing but Consumers, committing 200 events at a time."""
    child = children.start("-m", "benchmarks.consuming", str(COMMIT_EVENTS))
    await_line(child)
    return child


def celery(place: Stage) -> Start:
    """Runtally's Celery worker as it is by default; it counts as started when it has moved an offset."""

    def start(children: Children) -> subprocess.Popen[bytes]:
        before = _offsets(place)
        child = start_worker(children)
        wait_until("the worker's first commit", 30, child, lambda: _offsets(place) != before)
        return child

    return start


def kill_again_and_again(place: Stage, start: Start, *, events: int, kills: int, seed: int, longest_s: float, budget_s: float) -> Toll:
    """In each of `kills` lives a share of the events arrives, and the worker dies 0 to `longest_s` after it began.

    Then the rest arrives and one more lives until the log is drained. On a slow machine there are fewer kills: none after
    `budget_s`. The leases of the dead are deleted: without that, each would keep its
    successor off a partition for up to 10 s, and the kills would take longer, not find more (no lease guards a count).
    """
    settings = place.settings(batch_events=BATCH_EVENTS)
    rng = random.Random(seed)  # noqa: S311  # moments, no secret
    workload = make(settings, events=events, runs=RUNS, clients=CLIENTS, seed=seed)
    reader = Reader(place.link, settings.partitions, load_registry())
    share = len(workload.batches) // (kills + 1)
    at_work = life = 0
    begin = time.monotonic()
    while life < kills and time.monotonic() < begin + budget_s:
        _arrive(place, settings, workload.batches[life * share : (life + 1) * share])
        child = start(place.children)
        time.sleep(rng.uniform(0, longest_s))
        _kill(place, settings, child)
        life += 1
        at_work += reader.backlog() > 0
    _arrive(place, settings, workload.batches[life * share :])
    child = start(place.children)
    wait_until("the log drained", _DRAIN_S, child, lambda: reader.backlog() == 0)
    _kill(place, settings, child)
    return Toll(life, at_work, time.monotonic() - begin, _reckon(place, settings, workload))


def _kill(place: Stage, settings: Settings, child: subprocess.Popen[bytes]) -> None:
    place.children.end(child, signal.SIGKILL)
    place.link.call("DEL", *(keys.consume_lease(partition) for partition in range(settings.partitions)))


def _arrive(place: Stage, settings: Settings, batches: list[tuple[int, bytes]]) -> None:
    append(place.link, batches)
    place.link.call("ZADD", keys.BELL, *(part for partition in range(settings.partitions) for part in (0, partition)))


def _reckon(place: Stage, settings: Settings, workload: Workload) -> Balance:
    """Every row against plain addition, and every field of it against one fold of the whole log."""
    registry = load_registry()
    found = balance(place.link, settings, registry, workload)
    found.faults += differences(rows_of(place.link, settings, registry, workload), folded(place.link, settings, registry))
    return found


def _offsets(place: Stage) -> list[bytes | None]:
    replies = place.link.pipeline([("HGET", keys.state(partition), "offset") for partition in range(place.settings().partitions)])
    if any(isinstance(reply, Exception) for reply in replies):
        raise ChildFailed(f"the server refuses to tell the offsets: {replies}")
    return replies
