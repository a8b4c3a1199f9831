"""Redis against Airtable: every record once in passing, and what looks wrong a second time, both sides together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from contract import keys
from contract.link import Link
from contract.registry import Registry
from contract.run_id import parse
from contract.settings import Settings
from worker.flush.airtable import Found
from worker.flush.columns import KEY, Column, client_columns, client_fields, job_columns, job_fields
from worker.flush.drafts import Table
from worker.flush.records import MAX_KEYS, Records
from worker.rows import ClientRow, JobRow
from worker.store.dirty import RowRef, fields
from worker.verify.base_columns import base_columns, left_out
from worker.verify.cells import differences
from worker.verify.clock import Clock
from worker.verify.finding import Finding, Kind
from worker.verify.judgement import Compared, judge, judge_without_row
from worker.verify.pacer import PACE_S, Pacer
from worker.verify.snapshot import Snapshots, Stored

TRIES = 3
"""Looks at a row that changes while it is looked at, before it is left for the next check."""


class Mirror:
    """The base beside Redis. Reads only. Raises what Records raises, StoreUnavailable and StoreRefused."""

    def __init__(self, settings: Settings, link: Link, registry: Registry, clock: Clock, pace_s: float = PACE_S) -> None:
        self._link = link
        self._registry = registry
        self._clock = clock
        self._pacer = Pacer(pace_s)
        self._base_id = settings.airtable_base_id or ""
        self._partitions = settings.partitions
        self._records = Records(settings)
        self._snapshots = Snapshots(link, settings.partitions, registry.decimals)
        self._columns: dict[Table, tuple[Column, ...]] = {"job": job_columns(registry), "client": client_columns(registry)}
        self._skipped: dict[Table, frozenset[str]] = {}
        self._seen: dict[str, str] = {}
        self._suspects: dict[RowRef, None] = {}
        self.counts: Counter[str] = Counter()
        """`records` read; `expired`: records of rows that Redis has had long enough; `foreign`: with a key that is no run ID;
        `unsettled`: rows that changed at every look."""

    def columns(self) -> list[Finding]:
        """What the base lacks. Such columns are not compared, nor are those that Airtable fills itself. To be called first."""
        self._pacer.wait()
        self._skipped, found = base_columns(self._records, self._columns, partial(left_out, self._link, self._base_id))
        return found

    def read(self, run: str | None, progress: Callable[[str], None]) -> list[Finding]:
        """Read all records, or those of one run: what is in Airtable and cannot be in Redis; all else is noted for `confirm`."""
        found: list[Finding] = []
        for table in self._skipped:
            for page in self._pacer.paced(self._records.pages(table, run)):
                self.counts["records"] += len(page)
                found += self._passing(table, page)
                progress(f"{self.counts['records']:,} records read from Airtable")
        return found

    def _passing(self, table: Table, page: list[Found]) -> list[Finding]:
        found: list[Finding] = []
        known: list[tuple[RowRef, Found]] = []
        for record in page:
            parsed = parse(record.fields.get(KEY))
            if parsed.base is None or parsed.standard != record.fields.get(KEY) or (parsed.client is None) is not (table == "job"):
                self.counts["foreign"] += 1
                continue
            ref = RowRef(keys.partition_of(parsed.base, self._partitions), str(parsed.standard))
            if self._seen.setdefault(ref.row_id, record.record_id) != record.record_id:
                self.suspect([ref])
            known.append((ref, record))
        stored = self._snapshots.rows([ref for ref, _ in known])
        jobs = self._job_records([row for row in stored if row is not None])
        for (ref, record), row in zip(known, stored, strict=True):
            if row is None:
                found += self._unknown(ref, record)
            elif row.settled and judge(self._compared(row, [record], jobs)):
                self.suspect([ref])
        return found

    def _unknown(self, ref: RowRef, record: Found) -> list[Finding]:
        """A record that Redis has no row of: its time there is over, or the row was lost."""
        found = judge_without_row(ref.row_id, [record], self._clock)
        if any(finding.kind is Kind.LOST for finding in found):
            self.suspect([ref])
        else:
            self.counts["expired"] += 1
        return [finding for finding in found if finding.kind is not Kind.LOST]

    def suspect(self, refs: Iterable[RowRef]) -> None:
        """Have `confirm` look at these rows."""
        self._suspects.update(dict.fromkeys(refs))

    def unseen(self, stored: Stored) -> bool:
        """Whether a row that should be in Airtable was not among the records read, or with another record ID."""
        return stored.settled and self._seen.get(stored.ref.row_id) != stored.record

    def confirm(self, progress: Callable[[str], None]) -> Iterator[Finding]:
        """What is still wrong at a second look at the rows noted: their records, and their rows before and after. Rows that are dirty are
        waiting; rows that changed meanwhile are looked at again."""
        for table in self._skipped:
            refs = [ref for ref in self._suspects if (parse(ref.row_id).client is None) == (table == "job")]
            for _ in range(TRIES):
                moved: list[RowRef] = []
                for begin in range(0, len(refs), MAX_KEYS):
                    progress(f"{len(refs) - begin:,} rows to be looked at again")
                    chunk = refs[begin : begin + MAX_KEYS]
                    found, again = self._look(table, chunk)
                    yield from found
                    moved += again
                refs = moved
            self.counts["unsettled"] += len(refs)

    def _look(self, table: Table, refs: Sequence[RowRef]) -> tuple[list[Finding], list[RowRef]]:
        before = self._snapshots.rows(refs)
        jobs = self._job_records([row for row in before if row is not None])
        self._pacer.wait()
        by_key: dict[str, list[Found]] = {}
        for record in self._records.with_keys(table, [ref.row_id for ref in refs]):
            by_key.setdefault(str(record.fields[KEY]), []).append(record)
        after = self._snapshots.rows(refs)
        same_jobs = self._job_records([row for row in after if row is not None]) == jobs
        found: list[Finding] = []
        again: list[RowRef] = []
        for ref, old, new in zip(refs, before, after, strict=True):
            records = by_key.get(ref.row_id, [])
            if not same_jobs or not _unmoved(old, new):
                again.append(ref)
            elif new is None:
                found += [finding for finding in judge_without_row(ref.row_id, records, self._clock) if finding.kind is not Kind.STATUS]
            elif new.settled:
                found += judge(self._compared(new, records, jobs))
        return found, again

    def _compared(self, stored: Stored, records: list[Found], jobs: dict[str, str]) -> Compared:
        row = stored.row
        table: Table = "job" if isinstance(row, JobRow) else "client"
        expected: dict[str, Any] = {}
        if isinstance(row, JobRow):
            expected = job_fields(row, self._registry)
        elif isinstance(row, ClientRow):
            expected = client_fields(row, self._registry, jobs.get(row.run))
        found = differences(expected, records[0].fields, self._columns[table], self._skipped[table]) if len(records) == 1 else []
        assert row is not None
        return Compared(row.run, row.client if isinstance(row, ClientRow) else None, stored.record, [r.record_id for r in records], found)

    def _job_records(self, rows: list[Stored]) -> dict[str, str]:
        """Run -> record ID of its job, for the client rows among these."""
        runs = {stored.row.run: stored.ref.partition for stored in rows if isinstance(stored.row, ClientRow)}
        refs = [RowRef(partition, run) for run, partition in runs.items()]
        return {ref.row_id: record.decode() for ref, (record,) in zip(refs, fields(self._link, refs, "record"), strict=True) if record}


def _unmoved(old: Stored | None, new: Stored | None) -> bool:
    if old is None or new is None:
        return old is new
    return (old.version, old.sent_version, old.record, old.dirty) == (new.version, new.sent_version, new.record, new.dirty)
