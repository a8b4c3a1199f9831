"""Dirty rows: which rows Airtable does not have in their current version, and from when they may be written.

The marks are added by commit and removed here, by version. Whoever writes a row claims it first and releases it when the answer was
seen: the mark is 0 then, and `sent` takes away no other. So a word that anybody has in between (`defer`, `mark`) is never lost.

No function keeps state; all raise StoreUnavailable (what was asked may have been done: asking again is safe) and StoreRefused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from contract import keys
from contract.errors import StoreRefused
from contract.link import Command, Link
from worker.store.scripts import Argument, Script
from worker.store.wrong_type import is_wrong_type, move_aside, passed_over

_SENT = Script("sent")
_CLAIM = Script("dirty_claim")
_DEFER = Script("dirty_defer")
_RELEASE = Script("dirty_release")
_MARK = Script("dirty_mark")

_Call = tuple[Sequence[str], Sequence[Argument]]

_CHUNK = 500
"""Commands a pipeline: small enough for the server to serve others in between, large enough for the round trip not to count."""


_MOST_WORDS = 1_000_000_000
"""A mark up to this counts words; one beyond it is a moment."""


class RowRef(NamedTuple):
    """Where a row is kept: its partition and its row ID."""

    partition: int
    row_id: str


class Sent(NamedTuple):
    """What became of a row: the version written (its hash field `v`), and its record ID ("" when it was not written)."""

    ref: RowRef
    version: str
    record_id: str


class Due(NamedTuple):
    """A row that may be written now. `in_doubt`: it was claimed or deferred, and nobody has said since what became of its request."""

    ref: RowRef
    in_doubt: bool


def due(link: Link, partitions: int, limit: int = 10_000) -> list[Due]:
    """The rows that may be written now, oldest run first, at most `limit` of each partition. Where no set of marks is, one begins anew."""
    seconds, micros = link.call("TIME")
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    commands: list[Command] = [["ZRANGEBYSCORE", keys.dirty(p), "-inf", now_ms, "WITHSCORES", "LIMIT", 0, limit] for p in range(partitions)]
    replies = _all(link, commands)
    for partition, reply in enumerate(replies):
        if is_wrong_type(reply):
            move_aside(link, keys.dirty(partition), "zset")
    found = passed_over(replies, ())
    return [
        Due(RowRef(p, row_id.decode()), float(mark) > _MOST_WORDS)
        for p, row_ids in enumerate(found)
        for row_id, mark in zip(row_ids[::2], row_ids[1::2], strict=True)
    ]


def count(link: Link, partitions: int) -> int:
    """How many rows are dirty, those that may not be written yet included."""
    return sum(passed_over(_all(link, [["ZCARD", keys.dirty(p)] for p in range(partitions)]), 0))


def fields(link: Link, refs: Sequence[RowRef], *names: str) -> list[list[bytes | None]]:
    """The named hash fields of each row, None for those it lacks, and for all where no hash is."""
    replies = _all(link, [["HMGET", keys.row(ref.partition, ref.row_id), *names] for ref in refs])
    return passed_over(replies, [None] * len(names))


def hashes(link: Link, refs: Sequence[RowRef]) -> list[dict[bytes, bytes] | None]:
    """The whole hash of each row, empty where nothing is; None where something is that is no hash."""
    replies = passed_over(_all(link, [["HGETALL", keys.row(ref.partition, ref.row_id)] for ref in refs]), None)
    return [None if reply is None else dict(zip(reply[::2], reply[1::2], strict=True)) for reply in replies]


def sent(link: Link, rows: Sequence[Sent]) -> int:
    """Note what was written; how many of the rows are clean now. One that changed since it was read stays dirty, and so does one about
    which somebody had a word since it was released."""
    calls = [_sent_call(row) for row in rows]
    return sum(result == 1 for result in _run(link, _SENT, [row.ref for row in rows], calls))


def _sent_call(row: Sent) -> _Call:
    partition, row_id = row.ref
    return [keys.row(partition, row_id), keys.dirty(partition)], [row_id, row.version, row.record_id]


def claim(link: Link, refs: Sequence[RowRef], wait_s: float) -> list[int]:
    """Let nobody else write rows for `wait_s`; for each the ms from which it may be written, 0 for one that waits for another's request.

    Commit adds its mark only where there is none, so the wait stands.
    """
    calls: list[_Call] = [([keys.dirty(ref.partition)], [ref.row_id, int(wait_s * 1000)]) for ref in refs]
    return [int(wait_ms) for wait_ms in _run(link, _CLAIM, refs, calls)]


def defer(link: Link, refs: Sequence[RowRef], waits_ms: Sequence[int], wait_s: float) -> None:
    """Make rows dirty and let nobody write them for `wait_s`, instead of the waits that `claim` has set. Another's longer one stands."""
    wait_ms = int(wait_s * 1000)
    calls: list[_Call] = [
        ([keys.dirty(ref.partition)], [ref.row_id, wait_ms, claimed_ms]) for ref, claimed_ms in zip(refs, waits_ms, strict=True)
    ]
    _run(link, _DEFER, refs, calls)


def release(link: Link, refs: Sequence[RowRef], waits_ms: Sequence[int]) -> None:
    """End the waits that `claim` has set, where they still stand: nothing is under way for these rows."""
    calls: list[_Call] = [([keys.dirty(ref.partition)], [ref.row_id, wait_ms]) for ref, wait_ms in zip(refs, waits_ms, strict=True)]
    _run(link, _RELEASE, refs, calls)


def mark(link: Link, refs: Sequence[RowRef]) -> None:
    """Make rows dirty that may be clean, or are just being written; a wait that one is under stands. Rows that are gone stay gone."""
    for start in range(0, len(refs), _CHUNK):
        chunk = refs[start : start + _CHUNK]
        calls: list[_Call] = [([keys.row(ref.partition, ref.row_id), keys.dirty(ref.partition)], [ref.row_id]) for ref in chunk]
        _run(link, _MARK, chunk, calls)


def forget_record(link: Link, ref: RowRef) -> None:
    """Forget a row's record ID, because Airtable has no such record any more, and make the row dirty."""
    passed_over(link.pipeline([("HDEL", keys.row(ref.partition, ref.row_id), "record")]), 0)
    mark(link, [ref])


def written_clients(link: Link, job: RowRef) -> list[RowRef]:
    """The client rows of a job that are in Airtable already."""
    [members] = passed_over(link.pipeline([("SMEMBERS", keys.clients(job.partition, job.row_id))]), ())
    refs = [RowRef(job.partition, f"{job.row_id}-{member.decode()}") for member in members]
    return [ref for ref, (record,) in zip(refs, fields(link, refs, "record"), strict=True) if record]


def _run(link: Link, script: Script, refs: Sequence[RowRef], calls: Sequence[_Call]) -> list[Any]:
    """The results of a script's calls, one a row. Where no set of marks is, one begins anew: whoever insists on a word must be heard."""
    results = script.run_many(link, calls)
    wrong = [n for n, result in enumerate(results) if is_wrong_type(result)]
    for partition in {refs[n].partition for n in wrong}:
        move_aside(link, keys.dirty(partition), "zset")
    for n, result in zip(wrong, script.run_many(link, [calls[n] for n in wrong]), strict=True):
        results[n] = result
    return _unrefused(results)


def _all(link: Link, commands: Sequence[Command]) -> list[Any]:
    replies: list[Any] = []
    for start in range(0, len(commands), _CHUNK):
        replies.extend(link.pipeline(commands[start : start + _CHUNK]))
    return replies


def _unrefused(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, StoreRefused):
            raise reply
    return replies
