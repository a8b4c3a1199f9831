"""Stored rows -> what people see: values for formulas, records for the API, text for the page."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from airtable_sandbox.formula import FormulaFailed, FormulaInvalid, Scope, Value, as_text, evaluate, of_day, parse
from airtable_sandbox.moments import format_moment, from_epoch, parse_date, parse_moment
from airtable_sandbox.numbers import js_number
from airtable_sandbox.rows import Row
from airtable_sandbox.schema import FORMULA, LINK, Field, Table
from airtable_sandbox.workspace import Workspace

_ERROR = {"error": "#ERROR!"}
_NAN = {"specialValue": "NaN"}


class RecordReader:
    """Reads rows of one table, batch by batch: links are fetched once for a whole batch, when the first row asks."""

    def __init__(self, workspace: Workspace, table: Table) -> None:
        self._workspace = workspace
        self._table = table
        self._batch: list[Row] = []
        self._links: dict[str, dict[str, list[str]]] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._evaluating: set[str] = set()

    def begin(self, rows: list[Row]) -> None:
        """The rows that the next questions are about."""
        self._batch, self._links, self._names = rows, {}, {}

    def record(self, row: Row, wanted: list[Field] | None = None, by_id: bool = False) -> dict[str, Any]:
        """The record as the API shows it; `wanted` limits the fields. Empty fields are left out."""
        fields: dict[str, Any] = {}
        for field in self._table.fields if wanted is None else wanted:
            shown = self._cell(row, field)
            if shown is not None:
                fields[field.id if by_id else field.name] = shown
        return {"id": row.id, "createdTime": format_moment(from_epoch(row.created_s)), "fields": fields}

    def records(self, rows: list[Row], wanted: list[Field] | None = None, by_id: bool = False) -> list[dict[str, Any]]:
        self.begin(rows)
        return [self.record(row, wanted, by_id) for row in rows]

    def scope(self, row: Row) -> Scope:
        """What a formula sees of this row. Looking up a field that does not exist raises FormulaFailed."""
        return Scope(row.id, from_epoch(row.created_s), lambda name: self._lookup(row, name))

    def value(self, row: Row, field: Field) -> Value:
        """The field's value in formulas and for sorting. Raises FormulaFailed for a formula field without a value."""
        if field.type == LINK:
            names = self._linked_names(field)
            return [names.get(other, "") for other in self._linked(field).get(row.id, [])] or None
        if field.type == FORMULA:
            return self._computed(row, field)
        stored: Value = row.cells.get(field.id)
        if stored is not None and field.type == "dateTime":
            return parse_moment(str(stored))
        if stored is not None and field.type == "date":
            day = parse_date(str(stored))
            return None if day is None else of_day(day)
        return stored

    def text(self, row: Row, field: Field) -> str:
        """The cell as plain text for people."""
        try:
            value = self.value(row, field)
        except FormulaFailed:
            return "#ERROR!"
        if isinstance(value, bool):
            return "✓" if value else ""
        return str(row.cells[field.id]) if field.id in row.cells and isinstance(value, datetime) else as_text(value)

    def _cell(self, row: Row, field: Field) -> Any:
        if field.type == LINK:
            return self._linked(field).get(row.id)
        return _computed_json(self, row, field) if field.type == FORMULA else row.cells.get(field.id)

    def _lookup(self, row: Row, name: str) -> Value:
        field = self._table.find(name)
        if field is None:
            raise FormulaFailed(f"no field {name}")
        return self.value(row, field)

    def _computed(self, row: Row, field: Field) -> Value:
        if field.id in self._evaluating:
            raise FormulaFailed("the formula refers to itself")
        self._evaluating.add(field.id)
        try:
            return evaluate(parse((field.options or {})["formula"]), self.scope(row))
        except (FormulaInvalid, RecursionError) as invalid:  # too many formula fields that stand on one another
            raise FormulaFailed(str(invalid)) from invalid
        finally:
            self._evaluating.discard(field.id)

    def _linked(self, field: Field) -> dict[str, list[str]]:
        if field.id not in self._links:
            self._links[field.id] = self._workspace.links.of(field, [row.id for row in self._batch])
        return self._links[field.id]

    def _linked_names(self, field: Field) -> dict[str, str]:
        """Record ID -> text of the primary field, for every record that the batch links to."""
        if field.id not in self._names:
            linked = self._workspace.linked_table(field)
            rows = self._workspace.rows.get_many(sorted({other for others in self._linked(field).values() for other in others}))
            reader = RecordReader(self._workspace, linked)
            reader.begin(rows)
            self._names[field.id] = {row.id: reader.text(row, linked.primary) for row in rows}
        return self._names[field.id]


def _computed_json(reader: RecordReader, row: Row, field: Field) -> Any:
    try:
        value = reader.value(row, field)
    except FormulaFailed:
        return _ERROR
    if isinstance(value, datetime):
        return format_moment(value)
    if isinstance(value, bool | int | float):
        return js_number(value) if math.isfinite(value) else _NAN
    return value or None
