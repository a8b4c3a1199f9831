"""Drafts: rows as they are about to be written, read from Redis at the last moment so that the newest is what goes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from contract.link import Link
from contract.registry import Registry
from worker.flush.columns import LINK, Fields, client_fields, job_fields
from worker.rows import AnyRow, ClientRow, JobRow, from_hash
from worker.store import dirty
from worker.store.dirty import RowRef
from worker.store.legible import NO_HASH, READ_ERRORS

Table = Literal["job", "client"]


@dataclass(slots=True)
class Draft:
    """A row to write. `fields` by display name; what Airtable does not take is removed from them along the way.

    `version`: what `fields` shows. `record_id`: where it is in Airtable, as far as known; `known_id`: as Redis has it.
    """

    ref: RowRef
    table: Table
    run: str
    client: str | None
    version: str
    fields: Fields
    record_id: str | None
    known_id: str | None
    typecast: bool = False
    tried: set[str] = field(default_factory=set)
    """What has been done about a refusal of this draft, so that nothing is tried twice."""

    @property
    def job_record(self) -> str | None:
        """The record this row links to."""
        linked = self.fields.get(LINK)
        return linked[0] if linked else None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A dirty row that holds no row, and why."""

    ref: RowRef
    version: str
    reason: str


class _Stored(NamedTuple):
    """A row as it was read: its version and its record ID."""

    ref: RowRef
    row: AnyRow
    version: str
    record: str | None


class Drafter:
    """Reads rows and makes drafts of them."""

    def __init__(self, link: Link, registry: Registry) -> None:
        self._link = link
        self._registry = registry

    def read(self, refs: Sequence[RowRef]) -> tuple[list[Draft], list[Unreadable]]:
        """Drafts of the rows as they are now, and those that hold no row. Rows that are gone are in neither: their marks are removed."""
        unreadable: list[Unreadable] = []
        gone: list[RowRef] = []
        found: list[_Stored] = []
        for ref, fields in zip(refs, dirty.hashes(self._link, refs), strict=True):
            if fields is None:
                unreadable.append(Unreadable(ref, "", NO_HASH))
                continue
            if not fields:
                gone.append(ref)
                continue
            try:
                found.append(_Stored(ref, from_hash(fields, self._registry.decimals), fields[b"v"].decode(), _record(fields)))
            except READ_ERRORS as error:
                version = fields.get(b"v", b"").decode("utf-8", "replace")
                unreadable.append(Unreadable(ref, version, f"{type(error).__name__}: {error}"))
        dirty.sent(self._link, [dirty.Sent(ref, "", "") for ref in gone])
        jobs = self._job_records(found)
        return [self._draft(stored, jobs) for stored in found], unreadable

    def _job_records(self, found: Iterable[_Stored]) -> dict[str, str]:
        """Run -> record ID of its job, for those that Airtable has."""
        jobs = list({RowRef(stored.ref.partition, stored.row.run) for stored in found if isinstance(stored.row, ClientRow)})
        records = dirty.fields(self._link, jobs, "record")
        return {job.row_id: record.decode() for job, (record,) in zip(jobs, records, strict=True) if record}

    def _draft(self, stored: _Stored, jobs: dict[str, str]) -> Draft:
        row = stored.row
        if isinstance(row, JobRow):
            fields = job_fields(row, self._registry)
            return Draft(stored.ref, "job", row.run, None, stored.version, fields, stored.record, stored.record)
        fields = client_fields(row, self._registry, jobs.get(row.run))
        return Draft(stored.ref, "client", row.run, row.client, stored.version, fields, stored.record, stored.record)


def _record(fields: dict[bytes, bytes]) -> str | None:
    return fields.get(b"record", b"").decode() or None
