"""A model of Airtable: two tables of records found by key or ID. What a sender sees of a request is in simulated_airtable.py.

Record IDs, refusals and the rule that a request is applied whole or not at all are those of the real one (docs/sandbox.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from contract.errors import AirtableRejected
from worker.flush.airtable import Record

Fields = dict[str, Any]


class AirtableModel:
    """The base. Table -> record ID -> fields."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Fields]] = {}
        self.deleted: set[str] = set()
        """Run IDs of the rows that a person deleted and nobody has written since: those come back with their next change."""
        self._made = 0

    def upsert(self, table: str, records: Sequence[Record], key_field: str) -> list[str]:
        """Write records, all or none. Raises AirtableRejected."""
        there = self.tables.setdefault(table, {})
        for record in records:
            if record.record_id is not None and record.record_id not in there:
                raise _gone(record.record_id)
            for linked in record.fields.get("Job", ()):
                if not any(linked in rows for rows in self.tables.values()):
                    raise _gone(linked)
        return [self._write(there, record, key_field) for record in records]

    def _write(self, there: dict[str, Fields], record: Record, key_field: str) -> str:
        record_id = record.record_id
        if record_id is None:
            found = [known for known, fields in there.items() if fields.get(key_field) == record.fields[key_field]]
            record_id = found[0] if found else self._new_id()
        there.setdefault(record_id, {}).update(record.fields)
        self.deleted.discard(record.fields[key_field])
        return record_id

    def _new_id(self) -> str:
        self._made += 1
        return f"rec{self._made:014d}"

    def delete_one(self, rng: Random) -> str | None:
        """A person deletes a record; links to it go with it. Which one; None when there is none."""
        everywhere = [(table, record_id) for table, rows in self.tables.items() for record_id in rows]
        if not everywhere:
            return None
        table, record_id = rng.choice(everywhere)
        run_id = self.tables[table].pop(record_id)["Run ID"]
        self.deleted.add(run_id)
        for rows in self.tables.values():
            for fields in rows.values():
                if fields.get("Job") == [record_id]:
                    del fields["Job"]
        return f"{record_id} ({run_id})"

    def by_key(self) -> dict[str, list[Fields]]:
        """Run ID -> the records that have it."""
        found: dict[str, list[Fields]] = {}
        for rows in self.tables.values():
            for fields in rows.values():
                found.setdefault(fields["Run ID"], []).append(fields)
        return found


def _gone(record_id: str) -> AirtableRejected:
    return AirtableRejected(
        f"Airtable answered 422 ROW_DOES_NOT_EXIST: Record ID {record_id} does not exist in this table", 422, "ROW_DOES_NOT_EXIST"
    )
