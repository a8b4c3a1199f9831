"""Links between records. A link field and its inverse are two views of the same rows, so they cannot disagree."""

from __future__ import annotations

from collections import defaultdict

from airtable_sandbox.schema import Field
from airtable_sandbox.storage import Storage

_CHUNK = 500


def _sides(field: Field) -> tuple[str, str, str]:
    """(field ID that the rows are stored under, column of this field's records, column of the linked ones)."""
    options = field.options or {}
    if options.get("isReversed"):
        return options["inverseLinkFieldId"], "to_id", "from_id"
    return field.id, "from_id", "to_id"


class LinkStore:
    """The only reader and writer of the table `links`. Writers must be inside a transaction."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def of(self, field: Field, record_ids: list[str]) -> dict[str, list[str]]:
        """For each of these records that has any: the linked record IDs, in the order they were linked."""
        stored_as, here, there = _sides(field)
        linked: dict[str, list[str]] = defaultdict(list)
        for start in range(0, len(record_ids), _CHUNK):
            chunk = record_ids[start : start + _CHUNK]
            marks = ",".join("?" * len(chunk))
            sql = (
                f"SELECT {here} AS here, {there} AS there FROM links "  # noqa: S608 - column names of ours and marks
                f"WHERE field_id = ? AND {here} IN ({marks}) ORDER BY position"
            )
            for row in self._storage.rows(sql, (stored_as, *chunk)):
                linked[row["here"]].append(row["there"])
        return dict(linked)

    def replace(self, field: Field, record_id: str, linked: list[str]) -> None:
        """Links the record to exactly these, in this order."""
        before = self.of(field, [record_id]).get(record_id, [])
        if before == linked:
            return
        kept = [other for other in before if other in linked]
        if linked[: len(kept)] != kept:
            kept = []
        stored_as, here, there = _sides(field)
        for other in set(before) - set(kept):
            self._storage.write(f"DELETE FROM links WHERE field_id = ? AND {here} = ? AND {there} = ?", (stored_as, record_id, other))  # noqa: S608
        for other in linked[len(kept) :]:
            self._storage.write(f"INSERT INTO links (field_id, {here}, {there}) VALUES (?, ?, ?)", (stored_as, record_id, other))  # noqa: S608
