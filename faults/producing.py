"""A producer of the fault suite: emits events at a pace until its stdin ends, delivers the rest, and writes what it was told.

Arguments: its name, the seed, events a second. It says `ready` after a first delivered event. Each line on stdin is the name of the
phase that begins; in the phase `quiet` it emits nothing. The answer is JSON, see `Answer`. An event that `emit` did not take is not in
the books.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter, defaultdict
from typing import Any

import msgspec

from benchmarks.figures import percentile
from benchmarks.workload import NAMES, metrics, subjects
from contract.settings import load_settings
from producers.publish.event import Subject
from producers.publisher import Publisher

RUNS, CLIENTS = 20, 5
_OWN_IDS_EVERY = 50
_DRAIN_S = 90.0


class Answer(msgspec.Struct):
    """`counts`: client row ID -> events accepted; `sums`: client row ID -> display name -> sum. `pending`: accepted, and not delivered at
    the end. `raised`: what emit raised. `emit_us`: phase -> `p50`, `p99`, `max` of its calls, in µs."""

    counts: dict[str, int]
    sums: dict[str, dict[str, int]]
    pending: int
    counters: dict[str, int]
    raised: list[str]
    emit_us: dict[str, dict[str, float]]


class _Phase(threading.Thread):
    """Listens on stdin. `phase` is the one that lasts; `over` is set when stdin ends."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.phase = "before"
        self.over = threading.Event()

    def run(self) -> None:
        for line in sys.stdin:
            self.phase = line.strip()
        self.over.set()


class _Books:
    """Emits, and writes down what was accepted."""

    def __init__(self, name: str, seed: str) -> None:
        self.publisher = Publisher(load_settings())
        self._name = name
        self._rng = random.Random(f"{name}/{seed}")  # noqa: S311  # a workload, no secret
        self._choices = subjects(RUNS, CLIENTS)
        self._counts: Counter[str] = Counter()
        self._sums: dict[str, Counter[str]] = defaultdict(Counter)
        self._emitted = 0
        self._raised: list[str] = []
        self._emit_us: dict[str, list[float]] = defaultdict(list)

    def emit(self, phase: str) -> None:
        """One event of a random client run; some have an identity of their own."""
        subject, values = self._rng.choice(self._choices), metrics(self._rng)
        self._emitted += 1
        own_id = f"{self._name}-{self._emitted}" if self._emitted % _OWN_IDS_EVERY == 0 else None
        begin = time.perf_counter_ns()
        try:
            accepted = self.publisher.emit("client.metrics.updated", {"run_id": subject.row_id, "metrics": values}, own_id)
        except Exception as error:  # noqa: BLE001  # whatever it is: emit must not raise
            self._raised.append(repr(error))
            return
        self._emit_us[phase].append((time.perf_counter_ns() - begin) / 1000)
        if accepted:
            self._book(subject, values)

    def _book(self, subject: Subject, values: dict[str, Any]) -> None:
        self._counts[subject.row_id] += 1
        for name, value in values.items():
            self._sums[subject.row_id][NAMES[name]] += value

    def close(self) -> Answer:
        """Deliver the rest."""
        pending = self.publisher.flush(_DRAIN_S)
        self.publisher.close()
        sums = {row_id: dict(values) for row_id, values in self._sums.items()}
        return Answer(dict(self._counts), sums, pending, self.publisher.counters, self._raised[:10], _summed(self._emit_us))


def _summed(emit_us: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    ordered = {phase: sorted(took) for phase, took in emit_us.items()}
    return {phase: {"p50": percentile(took, 50), "p99": percentile(took, 99), "max": took[-1]} for phase, took in ordered.items()}


def main() -> None:
    """Emit until told to end."""
    name, seed, rate = sys.argv[1], sys.argv[2], float(sys.argv[3])
    books, listener = _Books(name, seed), _Phase()
    books.emit("first")
    books.publisher.flush(30)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    listener.start()
    due = time.monotonic()
    while not listener.over.wait(max(0.0, due - time.monotonic())):
        if listener.phase != "quiet":
            books.emit(listener.phase)
        # What the machine was too slow for is not made up for in a burst.
        due = max(due + 1 / rate, time.monotonic() - 0.1)
    sys.stdout.buffer.write(msgspec.json.encode(books.close()))


if __name__ == "__main__":
    main()
