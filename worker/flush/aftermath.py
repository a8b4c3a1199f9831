"""Rows that are written once more later, since a request may still land of which nobody can tell.

After Redis was restarted or failed over it may have lost a claim, or a word about a row, or a change that Airtable has been shown
already; the flusher that knew may be dead. So the server's life is noted, and when it is another one, the rows of late are
listed, to be made dirty when no request of the life before can land any more; and so is each row written until then, for it may have
been lost and come back.

A row whose claim has run out was left by a flusher that died, or stands still: perhaps between its last look at the lease and the
sending. If it then dies before it can say so, nobody else can: so such a row, too, is written once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from contract import keys
from contract.errors import StoreRefused
from contract.link import Command, Link
from worker.store import dirty
from worker.store.wrong_type import passed_over

LATELY_S = 3600.0
"""Runs with an event in this time are of late. Beside them are all rows that are open or dirty."""

STANDSTILL_S = 300.0
"""For how long a process may stand still, just before it sends, and be killed as soon as it has: no row stays stale by it."""

_CHUNK = 500


class Aftermath:
    """One base's. Methods raise StoreUnavailable and StoreRefused; done twice, or broken off in between, they do no harm.

    The first life that is ever noted has no aftermath: there was no flush before it.
    """

    def __init__(self, link: Link, base_id: str, partitions: int, lands_s: float) -> None:
        """`lands_s`: how long after it was sent a request may land."""
        self._link = link
        self._life = keys.flush_life(base_id)
        self._again = keys.flush_again(base_id)
        self._partitions = partitions
        self._lands_s = lands_s
        self._read_ms = 0
        self._ends_ms = 0
        """When no request of the life before can land any more."""

    def look(self) -> None:
        """To be called on a new connection, before anything is written: has Redis begun a new life?"""
        life = self._now_living()
        known, ends_ms = self._link.call("HMGET", self._life, "life", "ends_ms")
        self._ends_ms = int(ends_ms or 0)
        if life.encode() == known:
            return
        if known is not None:
            self._read_clock()
            self._ends_ms = self._read_ms + int(self._lands_s * 1000)
        # A full Redis takes no list: the next flush tries again. What this one writes is on it then.
        with suppress(StoreRefused):
            if known is not None:
                self._list(self._of_late(), self._ends_ms)
            # Last, so that whoever dies before this leaves it to the next.
            self._link.call("HSET", self._life, "life", life, "ends_ms", self._ends_ms)

    def mark_due(self) -> None:
        """Make dirty what is to be written once more, now that nothing of the life before can land."""
        self._read_clock()
        while rows := self._link.call("ZRANGEBYSCORE", self._again, "-inf", self._read_ms, "LIMIT", 0, _CHUNK):
            dirty.mark(self._link, [_ref(row) for row in rows])
            self._link.call("ZREM", self._again, *rows)

    def before_writing(self, due: Sequence[dirty.Due]) -> None:
        """These rows, found after `mark_due`, are about to be written: list those of which nobody can tell what may land after it."""
        with suppress(StoreRefused):
            if self._read_ms < self._ends_ms:
                self._list((_name(row.ref) for row in due), self._ends_ms)
            self._list((_name(row.ref) for row in due if row.in_doubt), self._read_ms + int(STANDSTILL_S * 1000))

    def _list(self, rows: Iterable[str], from_ms: int) -> None:
        for chunk in _chunks(rows):
            pairs = [part for row in chunk for part in (from_ms, row)]
            self._link.call("ZADD", self._again, "GT", *pairs)

    def _now_living(self) -> str:
        """Another text in each life: `run_id` changes with a restart, `master_replid` with a failover. Source: valkey.io/commands/info."""
        told = [line for reply in self._ask([("INFO", "server"), ("INFO", "replication")]) for line in reply.decode().splitlines()]
        return " ".join(line for line in told if line.startswith(("run_id:", "master_replid:")))

    def _read_clock(self) -> None:
        seconds, micros = self._link.call("TIME")
        self._read_ms = int(seconds) * 1000 + int(micros) // 1000

    def _of_late(self) -> Iterator[str]:
        since_ms = self._read_ms - int(LATELY_S * 1000)
        for partition in range(self._partitions):
            commands: list[Command] = [("ZRANGEBYSCORE", key, "-inf", "+inf") for key in (keys.dirty(partition), keys.open_rows(partition))]
            marked, opened, runs = self._ask([*commands, ("ZRANGEBYSCORE", keys.runs(partition), since_ms, "+inf")])
            rows = {row.decode() for row in (*marked, *opened, *runs)}
            for chunk in _chunks(run.decode() for run in runs):
                clients = self._ask([("SMEMBERS", keys.clients(partition, run)) for run in chunk])
                rows |= {f"{run}-{client.decode()}" for run, members in zip(chunk, clients, strict=True) for client in members}
            yield from (f"{partition}:{row}" for row in sorted(rows))

    def _ask(self, commands: list[Command]) -> list[Any]:
        return passed_over(self._link.pipeline(commands), ())


def _name(ref: dirty.RowRef) -> str:
    return f"{ref.partition}:{ref.row_id}"


def _ref(row: bytes) -> dirty.RowRef:
    partition, row_id = row.decode().split(":", 1)
    return dirty.RowRef(int(partition), row_id)


def _chunks(items: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
