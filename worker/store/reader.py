"""Reading rows and counters, for the command line, the dashboard and the checks. Writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from heapq import nlargest

from contract import keys
from contract.link import Command, Link
from contract.registry import Registry
from contract.status import Status
from worker.rows import AnyRow, ClientRow, JobRow
from worker.store.legible import row_or_reason
from worker.store.offset import is_offset
from worker.store.wrong_type import passed_over

_AT_ONCE = 500
"""Rows of one round trip."""


class Reader:
    """Reads over a link that its caller opens, and passes over what holds no row, or is of the wrong type: `runtally verify` tells of that.

    Every verb raises StoreUnavailable and StoreRefused."""

    def __init__(self, link: Link, partitions: int, registry: Registry) -> None:
        self._link = link
        self._partitions = partitions
        self._decimals = registry.decimals

    def latest(self, limit: int, statuses: Iterable[Status] = ()) -> list[JobRow]:
        """The runs with the latest events, newest first, of the given statuses (none given: all). Looks at 10 × `limit` runs at most."""
        wanted = frozenset(statuses)
        depth = limit * 10 if wanted else limit
        replies = self._ask([("ZRANGE", keys.runs(p), 0, depth - 1, "REV", "WITHSCORES") for p in range(self._partitions)])
        found = ((float(score), run.decode()) for reply in replies for run, score in zip(reply[::2], reply[1::2], strict=True))
        jobs: list[JobRow] = []
        newest = [run for _, run in nlargest(depth, found)]
        for begin in range(0, len(newest), _AT_ONCE):
            rows = self._rows(newest[begin : begin + _AT_ONCE])
            jobs += [row for row in rows if isinstance(row, JobRow) and (not wanted or row.status in wanted)]
            if len(jobs) >= limit:
                break
        return jobs[:limit]

    def job(self, run: str) -> JobRow | None:
        """The row of a job, by its base run ID."""
        rows = self._rows([run])
        return rows[0] if rows and isinstance(rows[0], JobRow) else None

    def clients(self, run: str) -> list[ClientRow]:
        """The rows of a job's client runs, by client ID."""
        [members] = self._ask([("SMEMBERS", keys.clients(keys.partition_of(run, self._partitions), run))])
        row_ids = sorted(f"{run}-{client.decode()}" for client in members)
        rows: list[AnyRow] = []
        for begin in range(0, len(row_ids), _AT_ONCE):
            rows += self._rows(row_ids[begin : begin + _AT_ONCE], run)
        return [row for row in rows if isinstance(row, ClientRow)]

    def counters(self) -> dict[str, int]:
        """What the folds counted, over all partitions: `events`, `duplicates`, `gaps`, `dead_<kind>`, `unknown_metrics`, …"""
        total: Counter[str] = Counter()
        for reply in self._ask([("HGETALL", keys.state(p)) for p in range(self._partitions)]):
            for name, value in zip(reply[::2], reply[1::2], strict=True):
                if name not in (b"offset", b"folded_ms") and value.isdigit():
                    total[name.decode()] += int(value)
        return dict(total)

    def flush_counters(self, base_id: str) -> dict[str, int]:
        """What the flush of a base counted: `calls`, `rows_written`, …"""
        reply = self._link.call("HGETALL", keys.flush_counters(base_id))
        return {name.decode(): int(value) for name, value in zip(reply[::2], reply[1::2], strict=True)}

    def dirty(self) -> int:
        """Rows that Airtable does not hold in their newest version."""
        return sum(self._ask([("ZCARD", keys.dirty(p)) for p in range(self._partitions)], instead=0))

    def backlog(self) -> int:
        """Log entries (batches) that are not folded yet."""
        offsets = self._ask([("HGET", keys.state(p), "offset") for p in range(self._partitions)])
        commands: list[Command] = [
            ("XRANGE", keys.log(p), f"({(offset or b'0-0').decode()}", "+", "COUNT", 1_000)
            for p, offset in enumerate(offsets)
            if is_offset(offset or b"0-0")
        ]
        return sum(len(entries) for entries in self._ask(commands))

    def dead(self) -> int:
        """Dead letters kept, over all partitions."""
        return sum(self._ask([("XLEN", keys.dead(p)) for p in range(self._partitions)], instead=0))

    def _rows(self, row_ids: Sequence[str], run: str | None = None) -> list[AnyRow]:
        commands = [("HGETALL", keys.row(keys.partition_of(run or row_id, self._partitions), row_id)) for row_id in row_ids]
        replies = self._ask(commands) if commands else []
        there = [(row_id, reply) for row_id, reply in zip(row_ids, replies, strict=True) if reply]
        rows = [row_or_reason(row_id, dict(zip(reply[::2], reply[1::2], strict=True)), self._decimals) for row_id, reply in there]
        return [row for row in rows if not isinstance(row, str)]

    def _ask(self, commands: Sequence[Command], instead: object = ()) -> list:  # type: ignore[type-arg]  # what Redis answers
        return passed_over(self._link.pipeline(commands), instead)
