"""Records in the data file: fetch, walk, insert, replace, delete, and find by the value of a field."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airtable_sandbox.ids import new_id
from airtable_sandbox.storage import Storage

_CHUNK = 500  # below the number of parameters that every SQLite allows


@dataclass
class Row:
    """One record as stored. `cells` maps field IDs to stored values; links and formulas are not in it."""

    id: str
    table_id: str
    created_s: int
    cells: dict[str, Any]


class RowStore:
    """The only reader and writer of the table `records`. Writers must be inside a transaction."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def get(self, record_id: str) -> Row | None:
        """The record of this ID, in whatever table."""
        found = self.get_many([record_id])
        return found[0] if found else None

    def get_many(self, record_ids: list[str]) -> list[Row]:
        """The records that exist, in the order asked for; the others are left out."""
        by_id: dict[str, Row] = {}
        for start in range(0, len(record_ids), _CHUNK):
            chunk = tuple(record_ids[start : start + _CHUNK])
            marks = ",".join("?" * len(chunk))
            for row in self._storage.rows(f"SELECT id, table_id, created_s, cells FROM records WHERE id IN ({marks})", chunk):  # noqa: S608 - marks only
                by_id[row["id"]] = _unpacked(row)
        return [by_id[record_id] for record_id in record_ids if record_id in by_id]

    def walk(self, table_id: str) -> Iterator[Row]:
        """Every record of a table, oldest first."""
        for row in self._storage.rows(
            "SELECT id, table_id, created_s, cells FROM records WHERE table_id = ? ORDER BY position", (table_id,)
        ):
            yield _unpacked(row)

    def ids(self, table_id: str, newest_first: bool = False, limit: int = -1, skip: int = 0) -> list[str]:
        """Record IDs of a table, oldest first unless asked otherwise; a `limit` of -1 is none."""
        order = "DESC" if newest_first else "ASC"
        sql = f"SELECT id FROM records WHERE table_id = ? ORDER BY position {order} LIMIT ? OFFSET ?"  # noqa: S608 - two words
        return [row["id"] for row in self._storage.rows(sql, (table_id, limit, skip))]

    def count(self, table_id: str) -> int:
        return int(self._storage.rows("SELECT count(*) AS n FROM records WHERE table_id = ?", (table_id,))[0]["n"])

    def insert(self, table_id: str, cells: dict[str, Any]) -> Row:
        row = Row(new_id("rec"), table_id, int(time.time()), cells)
        values = (row.id, table_id, row.created_s, _packed(cells))
        self._storage.write("INSERT INTO records (id, table_id, created_s, cells) VALUES (?, ?, ?, ?)", values)
        return row

    def replace(self, row: Row) -> None:
        self._storage.write("UPDATE records SET cells = ? WHERE id = ?", (_packed(row.cells), row.id))

    def delete(self, record_id: str) -> None:
        """Its links go with it."""
        self._storage.write("DELETE FROM records WHERE id = ?", (record_id,))

    def delete_all(self, table_id: str) -> int:
        """Empties a table; returns how many records that were."""
        return self._storage.write("DELETE FROM records WHERE table_id = ?", (table_id,))

    def matching(self, table_id: str, wanted: dict[str, Any]) -> list[str]:
        """IDs of the records whose cells equal `wanted` (field ID -> stored value, None for empty), at most 3.

        An expression index for the first field is created when it is first asked for: a scan of 50,000 records for each of
        10 keys would take seconds.
        """
        self._index(next(iter(wanted)))
        # The JSON text itself is compared (`->`): SQLite's own text values end at the first NUL character.
        tests = " AND ".join(f"cells -> '$.{field_id}' IS ?" for field_id in wanted)
        values = tuple(None if value is None else _packed(value) for value in wanted.values())
        sql = f"SELECT id FROM records WHERE table_id = ? AND {tests} ORDER BY position LIMIT 3"  # noqa: S608 - field IDs are letters and digits
        return [row["id"] for row in self._storage.rows(sql, (table_id, *values))]

    def _index(self, field_id: str) -> None:
        self._storage.write(f"CREATE INDEX IF NOT EXISTS merge_{field_id} ON records (cells -> '$.{field_id}', table_id)")


def _packed(value: Any) -> str:
    """The one JSON text of a value: equal values have equal texts, which `matching` relies on."""
    return json.dumps(value, separators=(",", ":"))


def _unpacked(row: Any) -> Row:
    return Row(row["id"], row["table_id"], row["created_s"], json.loads(row["cells"]))
