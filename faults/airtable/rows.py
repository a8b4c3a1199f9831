"""Rows that change all the time, put into Redis as commit does, and what Airtable has to show for them."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airtable_sandbox import Remote
from contract import keys
from contract.link import Link
from contract.registry import Registry
from contract.status import Status
from worker.flush.columns import LINK, client_fields, job_fields
from worker.rows import AnyRow, ClientRow, JobRow, to_hash

_NOON = datetime(2025, 9, 30, 12, tzinfo=UTC)
TABLES = ("Job Tracking", "Client Run Results")


@dataclass
class Balance:
    """Rows that Airtable lacks, that stand there more than once, and that show something else than Redis holds."""

    lost: int = 0
    doubled: int = 0
    stale: int = 0
    told: list[str] = field(default_factory=list)


class Rows:
    """Some jobs with some clients each."""

    def __init__(self, link: Link, partitions: int, seed: int, jobs: int, clients: int) -> None:
        self._link = link
        self._partitions = partitions
        self._dice = random.Random(seed)  # noqa: S311 - schedules, not secrets
        runs = [f"{_NOON + timedelta(minutes=n):%y%m%d-%H%M%S}" for n in range(jobs)]
        self.jobs = [JobRow(run=run, start=_NOON, updated=_NOON) for run in runs]
        self.clients = [ClientRow(run=run, client=f"c{n}", start=_NOON, updated=_NOON) for run in runs for n in range(clients)]

    @property
    def all(self) -> list[AnyRow]:
        return [*self.jobs, *self.clients]

    def change(self, row: AnyRow, **values: Any) -> None:
        """A later version of a row: values that grow, and those given."""
        row.metrics["Errors"] = row.metrics.get("Errors", 0) + 1
        row.metrics["Leads Processed"] = row.metrics.get("Leads Processed", 0) + self._dice.randrange(9)
        row.updated = _NOON + timedelta(seconds=row.version)
        for name, value in values.items():
            setattr(row, name, value)
        row.version += 1
        self.put(row)

    def change_some(self, count: int) -> None:
        """Change rows drawn by lot."""
        for row in self._dice.choices(self.all, k=count):
            self.change(row)

    def finish(self) -> None:
        """End all runs: their last versions."""
        for row in self.all:
            self.change(row, status=Status.COMPLETED, end=_NOON + timedelta(hours=1))

    def put(self, row: AnyRow) -> None:
        """As commit does: hash, mark, set of clients."""
        partition = keys.partition_of(row.run, self._partitions)
        fields = [part for pair in to_hash(row).items() for part in pair]
        commands: list[Any] = [("HSET", keys.row(partition, row.row_id), *fields)]
        commands.append(("ZADD", keys.dirty(partition), "NX", 0, row.row_id))
        if isinstance(row, ClientRow):
            commands.append(("SADD", keys.clients(partition, row.run), row.client))
        self._link.pipeline([("MULTI",), *commands, ("EXEC",)])

    def balance(self, remote: Remote, registry: Registry, without: frozenset[str] = frozenset()) -> Balance:
        """Every row against Airtable, field by field, save the columns in `without`."""
        found = Balance()
        shown: dict[str, dict[str, Any]] = {}
        records: dict[str, str] = {}
        for table in TABLES:
            listed = [record for record in remote.records(table) if "Run ID" in record["fields"]]
            counted = Counter(record["fields"]["Run ID"] for record in listed)
            found.doubled += sum(count - 1 for count in counted.values())
            shown |= {record["fields"]["Run ID"]: record["fields"] for record in listed}
            records |= {record["fields"]["Run ID"]: record["id"] for record in listed}
        for row in self.all:
            if row.row_id not in shown:
                found.lost += 1
                continue
            expected = job_fields(row, registry) if isinstance(row, JobRow) else client_fields(row, registry, records.get(row.run))
            wrong = [name for name, value in expected.items() if name not in without and not _same(value, shown[row.row_id].get(name))]
            if isinstance(row, ClientRow) and LINK not in wrong and LINK not in without and LINK not in shown[row.row_id]:
                wrong.append(LINK)
            if wrong:
                found.stale += 1
                found.told.append(f"{row.row_id}: {wrong}")
        return found


def _same(expected: Any, shown: Any) -> bool:
    if isinstance(expected, float) and isinstance(shown, int | float):
        return abs(expected - shown) < 1e-9
    return bool(expected == shown)
