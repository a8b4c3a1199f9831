"""List and get: filter, sort, page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from airtable_sandbox import errors
from airtable_sandbox.formula import FormulaFailed, FormulaInvalid, Node, Value, as_text, evaluate, fields_of, keeps, parse
from airtable_sandbox.list_query import ListQuery, Order
from airtable_sandbox.record_reader import RecordReader
from airtable_sandbox.rows import Row
from airtable_sandbox.schema import Field, Table
from airtable_sandbox.workspace import Workspace

_BATCH = 500


def list_records(workspace: Workspace, table: Table, query: ListQuery) -> dict[str, Any]:
    """One page of records and, if there are more, the offset of the next. Raises ApiError for what the table cannot answer."""
    wanted = None if query.fields is None else [_field(table, name) for name in query.fields]
    if query.view is not None and query.view not in {table.view_id, "Grid view"}:
        raise errors.no_such_view(query.view)
    if query.offset is None:
        found = _selected(workspace, table, query)[: query.max_records]
        page, offset = workspace.iterators.first_page(table.id, found, query.page_size)
    else:
        page, offset = workspace.iterators.next_page(table.id, query.offset, query.page_size)
    rows = workspace.rows.get_many(page)
    answer: dict[str, Any] = {"records": RecordReader(workspace, table).records(rows, wanted, query.by_id)}
    if query.comment_count:
        for record in answer["records"]:
            record["commentCount"] = 0
    return answer if offset is None else answer | {"offset": offset}


def get_record(workspace: Workspace, record_id: str, base_id: str, by_id: bool) -> dict[str, Any]:
    """One record, also when it is in another table of the base than the one asked. Raises ApiError 403 when it is gone."""
    row = workspace.rows.get(record_id)
    table = None if row is None else workspace.catalog.current().table(row.table_id)
    if row is None or table is None or table.base_id != base_id:
        raise errors.no_such_model()
    return RecordReader(workspace, table).records([row], by_id=by_id)[0]


def _field(table: Table, name_or_id: str) -> Field:
    field = table.find(name_or_id)
    if field is None:
        raise errors.unknown_field(name_or_id)
    return field


def _selected(workspace: Workspace, table: Table, query: ListQuery) -> list[str]:
    """IDs of all records that pass the filter, in the order asked for; oldest first by default."""
    orders = [(_field(table, order.field), order) for order in query.sort]
    condition = _condition(table, query.formula)
    if condition is None and not orders:
        return workspace.rows.ids(table.id)
    reader = RecordReader(workspace, table)
    found: list[tuple[str, list[Any]]] = []
    for batch in _batches(workspace.rows.walk(table.id)):
        reader.begin(batch)
        passing = [row for row in batch if condition is None or _passes(reader, row, condition)]
        found += [(row.id, [_sort_key(reader, row, field) for field, _ in orders]) for row in passing]
    _sort(found, [order for _, order in orders])
    return [record_id for record_id, _ in found]


def _sort(found: list[tuple[str, list[Any]]], orders: list[Order]) -> None:
    """In place; the last order first, because each pass keeps the order of equals."""
    for at, order in reversed(list(enumerate(orders))):
        found.sort(key=lambda pair, at=at: pair[1][at], reverse=order.descending)  # type: ignore[misc]


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _condition(table: Table, formula: str | None) -> Node | None:
    if not formula:
        return None
    try:
        node = parse(formula)
    except FormulaInvalid as invalid:
        raise errors.bad_filter(str(invalid)) from invalid
    unknown = [name.lower() for name in fields_of(node) if table.find(name) is None]
    if unknown:
        raise errors.bad_filter(f"Unknown field names: {', '.join(unknown)}")
    return node


def _passes(reader: RecordReader, row: Row, condition: Node) -> bool:
    """A row for which the formula fails is left out, not an error of the call."""
    try:
        return keeps(evaluate(condition, reader.scope(row)))
    except FormulaFailed:
        return False


def _sort_key(reader: RecordReader, row: Row, field: Field) -> tuple[int, float, str]:
    """Empty before anything; options in the order of the field's choices; text without regard to case."""
    try:
        value: Value = reader.value(row, field)
    except FormulaFailed:
        value = None
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, datetime):
        return (1, value.timestamp(), "")
    if isinstance(value, bool | int | float):
        return (1, float(value), "")
    if field.type == "singleSelect" and value in field.choices:
        return (1, float(field.choices.index(str(value))), "")
    return (2, 0.0, as_text(value).lower())
