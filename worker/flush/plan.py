"""In which order dirty rows are written, and which of them share a request. Pure.

First jobs that Airtable does not know yet, since client rows link to them; then finished jobs, finished clients, running jobs,
running clients. A request that has room left is filled with further rows of its table: it costs the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

import msgspec

from contract.status import Status
from worker.flush.airtable import MAX_RECORDS
from worker.store.dirty import RowRef


class Urgency(IntEnum):
    """What is written first has the lowest number."""

    NEW_JOB = 0
    FINISHED_JOB = 1
    FINISHED_CLIENT = 2
    RUNNING_JOB = 3
    RUNNING_CLIENT = 4


_JOBS = frozenset({Urgency.NEW_JOB, Urgency.FINISHED_JOB, Urgency.RUNNING_JOB})


class _Head(msgspec.Struct):
    """As much of a row's state as its urgency needs."""

    kind: str
    status: Status = Status.RUNNING


_decode = msgspec.json.Decoder(_Head).decode


class Waiting(NamedTuple):
    """A dirty row, its urgency, and when it was last written (ms, 0 for never). In the order in which rows are written: those of
    equal urgency by the time they have waited, so that rows that change all the time share what the limit allows."""

    urgency: Urgency
    sent_ms: int
    ref: RowRef


def waiting(ref: RowRef, state: bytes | None, record: bytes | None, sent_ms: bytes | None) -> Waiting:
    """A dirty row by its hash fields of these names."""
    return Waiting(_urgency(state, record), int(sent_ms or 0), ref)


def _urgency(state: bytes | None, record: bytes | None) -> Urgency:
    """What cannot be read is soon dealt with."""
    try:
        head = _decode(state or b"")
    except msgspec.DecodeError:
        return Urgency.FINISHED_JOB
    finished = head.status is not Status.RUNNING
    if head.kind == "job":
        if not record:
            return Urgency.NEW_JOB
        return Urgency.FINISHED_JOB if finished else Urgency.RUNNING_JOB
    return Urgency.FINISHED_CLIENT if finished else Urgency.RUNNING_CLIENT


def batches(rows: Iterable[Waiting], most: int) -> list[list[RowRef]]:
    """At most `most` requests of up to 10 rows of one table each, most urgent first."""
    in_order = sorted(rows)
    jobs = deque(row for row in in_order if row.urgency in _JOBS)
    clients = deque(row for row in in_order if row.urgency not in _JOBS)
    planned: list[list[RowRef]] = []
    while (jobs or clients) and len(planned) < most:
        queue = jobs if jobs and (not clients or jobs[0].urgency < clients[0].urgency) else clients
        planned.append([queue.popleft().ref for _ in range(min(MAX_RECORDS, len(queue)))])
    return planned
