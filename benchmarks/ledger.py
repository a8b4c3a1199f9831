"""Do the rows hold what was sent? Every row against plain addition, the job against its clients, and no row too many."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from benchmarks.workload import Workload
from contract import keys
from contract.link import Link
from contract.registry import Registry
from contract.settings import Settings
from worker.rows import ClientRow, JobRow
from worker.store.reader import Reader

_TOLD = 5


@dataclass
class Balance:
    """`lost`, `doubled`: events missing from, and too many in, the client rows. `faults`: everything that differs, in words."""

    lost: int = 0
    doubled: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def told(self) -> list[str]:
        """The first faults, and how many more there are."""
        more = len(self.faults) - _TOLD
        return [*self.faults[:_TOLD], *([f"and {more} more"] if more > 0 else [])]


def rows_of(link: Link, settings: Settings, registry: Registry, workload: Workload) -> dict[str, ClientRow | JobRow]:
    """All rows of the workload's runs, by row ID."""
    reader = Reader(link, settings.partitions, registry)
    rows: dict[str, ClientRow | JobRow] = {}
    for run in sorted({row_id[:13] for row_id in workload.counts}):
        rows |= {row.row_id: row for row in reader.clients(run)}
        job = reader.job(run)
        if job is not None:
            rows[run] = job
    return rows


def balance(link: Link, settings: Settings, registry: Registry, workload: Workload) -> Balance:
    """Compare what Redis holds with what was sent."""
    found = Balance()
    rows = rows_of(link, settings, registry, workload)
    totals: dict[str, Counter[str]] = {}
    for row_id, expected in workload.sums.items():
        totals.setdefault(row_id[:13], Counter()).update(expected)
        row = rows.get(row_id)
        counted = row.events if row is not None else 0
        found.lost += max(0, workload.counts[row_id] - counted)
        found.doubled += max(0, counted - workload.counts[row_id])
        if row is None or row.metrics != expected:
            found.faults.append(f"{row_id}: {row.metrics if row is not None else 'no row'}, sent {expected}")
    for run, expected_total in totals.items():
        job = rows.get(run)
        held = {name: value for name, value in job.metrics.items() if name != "Total Tokens"} if job is not None else None
        if held != dict(expected_total):
            found.faults.append(f"job {run}: {held}, sent {dict(expected_total)}")
    if len(rows) != len(workload.sums) + len(totals):
        found.faults.append(f"{len(rows)} rows, expected {len(workload.sums) + len(totals)}")
    dead = sum(link.call("XLEN", keys.dead(partition)) for partition in range(settings.partitions))
    if dead:
        found.faults.append(f"{dead} dead letters, expected none")
    return found
