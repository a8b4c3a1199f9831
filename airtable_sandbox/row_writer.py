"""Writes one record's fields: resolves names, checks values, adds select options under typecast, sets links."""

from __future__ import annotations

from typing import Any

from airtable_sandbox import errors
from airtable_sandbox.cells import accept
from airtable_sandbox.field_options import with_choices
from airtable_sandbox.ids import is_id
from airtable_sandbox.rows import Row
from airtable_sandbox.schema import FORMULA, LINK, Field, Table
from airtable_sandbox.workspace import Workspace

_SELECTS = {"singleSelect", "multipleSelects"}


class RowWriter:
    """Writes rows of one table inside the caller's transaction; any ApiError it raises must roll that back."""

    def __init__(self, workspace: Workspace, table: Table, typecast: bool) -> None:
        self._workspace = workspace
        self._table = table
        self._typecast = typecast

    def write(self, row: Row | None, fields: dict[str, Any], replace: bool) -> Row:
        """Creates (None) or updates a row and returns it as stored. `replace` empties every field that is not named."""
        cells: dict[str, Any] = {} if row is None or replace else dict(row.cells)
        linked: dict[str, list[str]] = {f.id: [] for f in self._table.of_type(LINK)} if replace else {}
        for name, value in fields.items():
            field = self._writable(name)
            if field.type == LINK:
                linked[field.id] = self._record_ids(field, value)
            else:
                cells[field.id] = self._accepted(field, value)
        kept = {field_id: value for field_id, value in cells.items() if value is not None}
        row = self._store(row, kept)
        for field_id, others in linked.items():
            self._workspace.links.replace(self._writable(field_id), row.id, others)
        return row

    def _store(self, row: Row | None, cells: dict[str, Any]) -> Row:
        if row is None:
            return self._workspace.rows.insert(self._table.id, cells)
        row = Row(row.id, row.table_id, row.created_s, cells)
        self._workspace.rows.replace(row)
        return row

    def _writable(self, name_or_id: str) -> Field:
        field = self._table.find(name_or_id)
        if field is None:
            raise errors.unknown_field(name_or_id)
        if field.type == FORMULA:
            raise errors.field_is_computed(field.name)
        return field

    def _accepted(self, field: Field, value: Any) -> Any:
        stored = accept(field, value, self._typecast)
        if field.type in _SELECTS and stored is not None:
            self._add_choices(field, stored if isinstance(stored, list) else [stored])
        return stored

    def _add_choices(self, field: Field, names: list[str]) -> None:
        """Typecast only: without it `accept` has refused unknown options already."""
        new = [name for name in names if name not in field.choices]
        if new:
            self._workspace.catalog.update_field(self._table, with_choices(field, new))
            self._table = self._workspace.reload(self._table)

    def _record_ids(self, field: Field, value: Any) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise errors.not_record_ids()
        linked = self._workspace.linked_table(field)
        return list(dict.fromkeys(self._record_id(linked, item) for item in value))

    def _record_id(self, linked: Table, item: str) -> str:
        if not is_id(item, "rec"):
            if self._typecast:
                return self._named(linked, item)
            raise errors.not_record_ids()
        row = self._workspace.rows.get(item)
        if row is None:
            raise errors.no_such_linked_record(item)
        if row.table_id != linked.id:
            raise errors.record_of_other_table(item, row.table_id, linked.id)
        return item

    def _named(self, linked: Table, name: str) -> str:
        """Typecast: the linked record whose primary field reads `name`, made when there is none."""
        stored = accept(linked.primary, name, True)
        found = self._workspace.rows.matching(linked.id, {linked.primary.id: stored})
        return found[0] if found else self._workspace.rows.insert(linked.id, {linked.primary.id: stored}).id
