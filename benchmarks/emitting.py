"""A child of `emit`: times single calls in the caller's thread and writes µs as JSON: {"p50": …, "p99": …, "max": …}.

Arguments: which side, and how many calls. The timer's own cost, measured in the same way, is taken off each call.
"""

from __future__ import annotations

import gc
import json
import os
import random
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.figures import percentile
from benchmarks.workload import metrics, subjects

_BURST = 500
_ALWAYS_WAITING = 10_000
_PACE_S = 0.001

Calls = Callable[[int], Any]
"""Makes one call; its argument is a running number."""


def timed(call: Calls, number: int, pause: Callable[[int], None]) -> list[float]:
    """µs of each of `number` calls, in ascending order. `pause` runs between calls and is not timed."""
    clock = time.perf_counter_ns
    empty = []
    for _ in range(10_000):
        begin = clock()
        empty.append(clock() - begin)
    timer_ns = median(empty)
    took = [0.0] * number
    for n in range(number):
        begin = clock()
        call(n)
        took[n] = clock() - begin
        pause(n)
    return sorted(max(0.0, ns - timer_ns) / 1000 for ns in took)


def _count(paced: bool) -> tuple[Calls, Callable[[int], None], Callable[[], None]]:
    """`run.count` with five metrics. Not paced: bursts, with events always waiting, so that the sender never rests."""
    from contract.settings import load_settings
    from producers.publisher import Publisher
    from producers.runs import Job

    publisher = Publisher(load_settings())
    job = Job(publisher, subjects(1, 1)[0].run, "scoring", 1, None)
    run = job.client("client-0001")
    rng = random.Random(1)  # noqa: S311  # a workload, no secret
    ready = [metrics(rng) for _ in range(1_000)]

    def call(n: int) -> None:
        run.count(**ready[n % 1_000])

    def pause(n: int) -> None:
        if paced:
            time.sleep(_PACE_S)
        elif n % _BURST == 0:
            while publisher.pending > _ALWAYS_WAITING:
                time.sleep(0.0002)

    def settle() -> None:
        undelivered = publisher.close(30)
        dropped = sum(number for name, number in publisher.counters.items() if name.startswith("dropped"))
        if undelivered or dropped:
            sys.exit(f"{undelivered} events not delivered, {dropped} dropped")

    with job, run:
        for n in range(2_000):
            call(n)
    publisher.flush(10)
    return call, pause, settle


def _task() -> Calls:
    """`apply_async` of the peer's task."""
    from benchmarks.plain_celery import count

    ((row_id, run),) = subjects(1, 1)
    values = metrics(random.Random(1))  # noqa: S311

    def call(n: int) -> None:
        count.apply_async((str(n), run, row_id, values))

    return call


def _xadd() -> Calls:
    """redis-py's `xadd` of the same five metrics, one round trip."""
    import redis

    client: Any = redis.Redis.from_url(os.environ["RUNTALLY_REDIS_URL"])
    row_id = subjects(1, 1)[0].row_id
    values: Any = {"subject": row_id, **metrics(random.Random(1))}  # noqa: S311

    def call(_: int) -> None:
        client.xadd("plain:log", values)

    return call


def main() -> None:
    """Time the calls of one side."""
    side, number = sys.argv[1], int(sys.argv[2])
    pause: Callable[[int], None] = lambda _: None  # noqa: E731  # the others are not paused
    settle: Callable[[], None] = lambda: None  # noqa: E731
    if side in ("busy", "paced"):
        call, pause, settle = _count(side == "paced")
    else:
        call = _task() if side == "task" else _xadd()
        for n in range(50):
            call(n)
    gc.collect()
    took = timed(call, number, pause)
    settle()
    print(json.dumps({"p50": percentile(took, 50), "p99": percentile(took, 99), "max": took[-1]}))


if __name__ == "__main__":
    main()
