"""A child that fills the peer's queue: one task an event, the same kind of events as ours; one in a hundred is sent twice.

Arguments: how many events, and the seed. `expected` says what they add up to.
"""

from __future__ import annotations

import random
import sys
from collections import Counter

from benchmarks.workload import REPEATED, metrics, subjects

RUNS, CLIENTS = 1, 1_000


def events(number: int, seed: int) -> list[tuple[str, str, str, dict[str, int]]]:
    """Identity, run, row ID and metrics of each event."""
    rng = random.Random(seed)  # noqa: S311  # a workload, no secret
    choices = subjects(RUNS, CLIENTS)
    picked = [rng.choice(choices) for _ in range(number)]
    return [(f"{seed}-{n}", subject.run, subject.row_id, metrics(rng)) for n, subject in enumerate(picked)]


def expected(number: int, seed: int) -> dict[str, Counter[str]]:
    """Row ID or run -> metric -> sum, by plain addition."""
    sums: dict[str, Counter[str]] = {}
    for _, run, row_id, values in events(number, seed):
        for key in (run, row_id):
            sums.setdefault(key, Counter()).update(values)
    return sums


def main() -> None:
    """Send them all."""
    from benchmarks.plain_celery import count

    for number, event in enumerate(events(int(sys.argv[1]), int(sys.argv[2])), 1):
        count.apply_async(event)
        if number % REPEATED == 0:
            count.apply_async(event)
    print("null")


if __name__ == "__main__":
    main()
