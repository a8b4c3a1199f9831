"""In which order dirty rows are written, and which of them share a request. Pure.

First jobs that Airtable does not know yet, since client rows link to them; then finished jobs, finished clients, running jobs,
running clients. Where the month's calls are counted, rows of finished runs come before all new ones, and those before the running.
A request that has room left is filled with further rows of its table: it costs the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import msgspec

from contract.status import Status
from worker.flush.airtable import MAX_RECORDS
from worker.flush.drafts import Table
from worker.flush.month import Account, Share
from worker.store.dirty import RowRef


class Urgency(IntEnum):
    """What is written first has the lowest number."""

    NEW_JOB = 0
    FINISHED_JOB = 1
    FINISHED_CLIENT = 2
    RUNNING_JOB = 3
    RUNNING_CLIENT = 4


_BASE = len("250930-141522")
_JOBS = frozenset({Urgency.NEW_JOB, Urgency.FINISHED_JOB, Urgency.RUNNING_JOB})


class _Head(msgspec.Struct):
    """As much of a row's state as its urgency needs."""

    kind: str
    status: Status = Status.RUNNING


_decode = msgspec.json.Decoder(_Head).decode


class Waiting(NamedTuple):
    """A dirty row, what it is for, its urgency, and when it was last written (ms, 0 for never). In the order in which rows are written:
    those of equal urgency by the time they have waited, so that rows that change all the time share what the limit allows."""

    share: Share
    urgency: Urgency
    sent_ms: int
    ref: RowRef

    @property
    def table(self) -> Table:
        """The table it goes to."""
        return "job" if self.urgency in _JOBS else "client"


class Batch(NamedTuple):
    """The rows of one request, and what it is for: what its most urgent row is for."""

    share: Share
    table: Table
    refs: list[RowRef]


@dataclass(frozen=True, slots=True)
class Credit:
    """How many requests may be made now, those for more urgent shares included."""

    finished: int
    new: int
    running: int

    @classmethod
    def of(cls, account: Account | None) -> Credit:
        """Any number without a budget."""
        if account is None:
            return _ANY
        return cls(account.credit(Share.FINISHED), account.credit(Share.NEW), account.credit(Share.RUNNING))

    def covers(self, share: Share, planned: int) -> bool:
        """True when one more request for `share` may follow those `planned`."""
        return planned < (self.finished, self.new, self.running)[share]


_ANY = Credit(1_000_000, 1_000_000, 1_000_000)


def waiting(ref: RowRef, head: Sequence[bytes | None]) -> Waiting:
    """A dirty row by its hash fields `state`, `record` and `sent_ms`."""
    state, record, sent_ms = head
    urgency, finished = _urgency(state, record)
    share = Share.FINISHED if finished else Share.RUNNING if record else Share.NEW
    return Waiting(share, urgency, int(sent_ms or 0), ref)


def ordered(rows: Sequence[Waiting], *, by_share: bool) -> list[Waiting]:
    """In the order in which they are written. `by_share`: a new job is for what its clients are for, since they link to it."""
    if not by_share:
        return sorted(rows, key=lambda row: row[1:])
    needed = {row.ref.row_id[:_BASE] for row in rows if row.urgency is Urgency.FINISHED_CLIENT}
    return sorted(row._replace(share=Share.FINISHED) if row.ref.row_id in needed else row for row in rows)


def _urgency(state: bytes | None, record: bytes | None) -> tuple[Urgency, bool]:
    """And whether the run is finished. What cannot be read is soon dealt with."""
    try:
        head = _decode(state or b"")
    except msgspec.DecodeError:
        return Urgency.FINISHED_JOB, True
    finished = head.status is not Status.RUNNING
    if head.kind == "job":
        if not record:
            return Urgency.NEW_JOB, finished
        return Urgency.FINISHED_JOB if finished else Urgency.RUNNING_JOB, finished
    return Urgency.FINISHED_CLIENT if finished else Urgency.RUNNING_CLIENT, finished


def batches(in_order: Iterable[Waiting], most: int, credit: Credit = _ANY) -> list[Batch]:
    """At most `most` requests of up to 10 rows of one table each, most urgent first, as far as `credit` goes."""
    rows = list(in_order)
    rank = {row.ref: n for n, row in enumerate(rows)}
    jobs = deque(row for row in rows if row.urgency in _JOBS)
    clients = deque(row for row in rows if row.urgency not in _JOBS)
    planned: list[Batch] = []
    while (jobs or clients) and len(planned) < most:
        queue = jobs if jobs and (not clients or rank[jobs[0].ref] < rank[clients[0].ref]) else clients
        first = queue[0]
        if not credit.covers(first.share, len(planned)):
            break
        planned.append(Batch(first.share, first.table, [queue.popleft().ref for _ in range(min(MAX_RECORDS, len(queue)))]))
    return planned
