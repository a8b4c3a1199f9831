"""latency: from emit to the row in Redis, through the Celery worker and beat as they are by default; the peer is a plain task."""

from __future__ import annotations

import time

import msgspec

from benchmarks.celery_worker import start_plain, start_runtally
from benchmarks.children import answer_of, await_line, wait_until
from benchmarks.figures import Report, percentile, ratios
from benchmarks.screen import Told
from benchmarks.stage import Stage, stage
from benchmarks.workload import subjects
from contract import keys
from contract.settings import Settings

RATE = 1_000
ROUNDS = 3
TASKS = 100
P99_MS = 100
_POLL_S = 0.001
_START_S = 30.0


class _Counted(msgspec.Struct):
    """As much of a row's state as is watched."""

    events: int = 0


_decode = msgspec.json.Decoder(_Counted).decode


def measure(told: Told, *, quick: bool, seed: int) -> Report:
    """Both workers run all the time, on one server; in each round one is asked, then the other."""
    del seed  # nothing here is random
    seconds = 2 if quick else 7
    report = Report("latency", f"ms from emit to the row in Redis, {RATE:,} events/s, {ROUNDS} × {seconds} s")
    ours: list[list[float]] = []
    theirs: list[list[float]] = []
    with stage() as place:
        told("starting celery -A worker worker, its beat, and the plain worker")
        start_runtally(place.children)
        start_plain(place.children, "prefork")
        for number in range(1, ROUNDS + 1):
            told(f"round {number} of {ROUNDS}: {RATE * seconds:,} events, {RATE:,} a second")
            ours.append(_watch(place, number, RATE * seconds))
            told(f"round {number} of {ROUNDS}: {TASKS} plain tasks, one at a time")
            theirs.append(sorted(place.children.answer("-m", "benchmarks.plain_latency", str(TASKS))))
    for percent in (50, 99, 100):
        name = "max" if percent == 100 else f"p{percent}"
        own = report.add(f"Runtally, {RATE:,} events/s, {name}", "ms", [percentile(one, percent) for one in ours])
        peer = report.add(f"plain Celery, one task at a time, {name}", "ms", [percentile(one, percent) for one in theirs])
        report.add(f"  Runtally times plain Celery, {name}", "×", ratios(own.values, peer.values))
        if percent == 99:
            report.at_most(f"at most {P99_MS} ms at p99", own, P99_MS)
    report.notes.append(f"The row is looked at each {_POLL_S * 1000:.0f} ms. An event waits up to 20 ms for company before it is sent.")
    return report


def _watch(place: Stage, number: int, events: int) -> list[float]:
    """ms of each event, in ascending order: one row, one publisher, so the n-th event is there when n are counted."""
    subject = subjects(number, 1)[-1]
    client = subject.row_id[len(subject.run) + 1 :]
    row = _row_key(place.settings(), subject.run, subject.row_id)

    def counted() -> int:
        state = place.link.call("HGET", row, "state")
        return _decode(state).events if state else 0

    emitter = place.children.start("-m", "benchmarks.pacing", subject.run, client, str(events), str(RATE), stdin=-1)
    await_line(emitter)
    wait_until("the first event counted", _START_S, emitter, counted)
    assert emitter.stdin is not None
    emitter.stdin.write(b"go\n")
    emitter.stdin.flush()
    seen: list[float] = []
    deadline = time.monotonic() + events / RATE + _START_S
    while len(seen) < events and time.monotonic() < deadline:
        # The one event of the start is not among those timed.
        new = counted() - 1 - len(seen)
        seen += [time.monotonic()] * new
        time.sleep(_POLL_S)
    moments = answer_of(emitter)
    return sorted((there - emitted) * 1000 for emitted, there in zip(moments, seen, strict=True))


def _row_key(settings: Settings, run: str, row_id: str) -> str:
    return keys.row(keys.partition_of(run, settings.partitions), row_id)
