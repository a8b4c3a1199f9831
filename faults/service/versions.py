"""An old and a new version side by side: events with more in them than today's version knows, and a worker that stores more with a row.

Today's worker and the newer one fold the same partitions in turn. Everything counts as if all were of one version, and what only the newer
one knows stays with its rows, to the last of its writes.
"""

from __future__ import annotations

import random
import signal
import time
from typing import Any

import msgspec

from benchmarks.children import answer_of, await_line, wait_until
from benchmarks.stage import Stage, stage
from benchmarks.workload import Workload, append, make
from contract.registry import load_registry
from faults.ledger import reckon
from faults.progress import Progress
from faults.service.newer_worker import FIELD
from faults.verdict import RECOVER_S
from worker.store.reader import Reader

NAME = "versions"
EVENTS_A_SECOND = 1_000
_TICK_S = 0.05


def run(seed: int, seconds: float) -> dict[str, Any]:
    """The verdict after about `seconds` of it."""
    with stage() as place:
        return side_by_side(place, seed=seed, seconds=seconds)


def side_by_side(place: Stage, *, seed: int, seconds: float) -> dict[str, Any]:
    """Events of both versions arrive for `seconds` while a worker of each folds them. `corrupt` counts rows that lack something of the
    newer worker's, too. The details tell how many rows each wrote, and how many both did; without those nothing is proved."""
    settings = place.settings(batch_events=50)
    workload = make(settings, events=int(EVENTS_A_SECOND * seconds), runs=40, clients=5, seed=seed)
    newer = place.children.start("-m", "faults.service.newer_worker")
    older = place.children.start("-m", "faults.producers.folding")
    for worker in (newer, older):
        await_line(worker)
    reader = Reader(place.link, settings.partitions, load_registry())
    with Progress(settings) as progress:
        _arrive(place, _with_more(workload, seed), seconds)
        ended = time.monotonic()
        wait_until("the log folded", RECOVER_S, newer, lambda: reader.backlog() == 0)
        recovered_s = time.monotonic() - ended
    newer.send_signal(signal.SIGTERM)
    visits: dict[str, int] = answer_of(newer)
    place.children.end(older, signal.SIGKILL)
    found = reckon(settings, workload)
    both, wrong = _compare(reader, workload, visits)
    return {
        "fault": NAME,
        "level": "appended",
        "lost": found.lost,
        "doubled": found.doubled,
        "corrupt": found.corrupt + len(wrong),
        "stale": found.stale,
        "longest_gap_s": round(progress.longest_gap_s, 2),
        "recovered_s": round(recovered_s, 2),
        "ok": found.clean and not wrong and both > 0,
        "seed": seed,
        "details": {"events": workload.events, "writes_of_the_newer": sum(visits.values()), "rows_of_both": both}
        | ({"differences": [*found.told, *wrong[:5]]} if wrong or not found.clean else {}),
    }


def _with_more(workload: Workload, seed: int) -> list[tuple[int, bytes]]:
    """The batches; in about half of them each event has attributes and fields of a newer version."""
    rng = random.Random(seed)  # noqa: S311  # a workload, no secret
    return [(partition, _newer_batch(body) if rng.random() < 1 / 2 else body) for partition, body in workload.batches]


def _newer_batch(body: bytes) -> bytes:
    events = msgspec.json.decode(body)
    for event in events:
        event |= {"priority": 7, "dataschema": "urn:runtally:newer"}
        event["data"] |= {"weights": {"a": [1, {"b": None}]}, "confidence": 0.5}
    return msgspec.json.encode(events)


def _arrive(place: Stage, batches: list[tuple[int, bytes]], seconds: float) -> None:
    """Append what is due by now, until all has arrived."""
    begin, done = time.monotonic(), 0
    while done < len(batches):
        due = int(len(batches) * min(1.0, (time.monotonic() - begin) / seconds))
        append(place.link, batches[done:due])
        done = due
        time.sleep(_TICK_S)


def _compare(reader: Reader, workload: Workload, visits: dict[str, int]) -> tuple[int, list[str]]:
    """How many rows were written by both versions, and those that do not hold what the newer one has stored."""
    runs = sorted({row_id[:13] for row_id in workload.counts})
    jobs = [job for run in runs if (job := reader.job(run)) is not None]
    rows = {row.row_id: row for row in [*jobs, *(client for run in runs for client in reader.clients(run))]}
    wrong = [
        f"{row_id}: {FIELD} {row.other.get(FIELD)}, written {visits.get(row_id)}"
        for row_id, row in rows.items()
        if row.other.get(FIELD) != visits.get(row_id)
    ]
    both = sum(1 for row_id, row in rows.items() if 0 < visits.get(row_id, 0) < row.version)
    return both, wrong
