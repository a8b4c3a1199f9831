"""Create, update, upsert, delete. Each call is one transaction: one faulty field fails it and nothing is applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airtable_sandbox import errors
from airtable_sandbox.ids import is_id
from airtable_sandbox.list_query import truthy
from airtable_sandbox.record_reader import RecordReader
from airtable_sandbox.row_writer import RowWriter
from airtable_sandbox.rows import Row
from airtable_sandbox.schema import Table
from airtable_sandbox.upsert import matches, merge_fields
from airtable_sandbox.workspace import Workspace

BATCH_LIMIT = 10
_UPDATE_SHAPE = (
    f'You must provide an array of up to {BATCH_LIMIT} record objects, each with an "id" ID field and a "fields" object for cell values.'
)
_CREATE_SHAPE = f'You must provide an array of up to {BATCH_LIMIT} record objects, each with a "fields" object for cell values.'
_DELETE_SHAPE = f'"records" must be an array of up to {BATCH_LIMIT} record IDs.'


Target = tuple[Row | None, dict[str, Any]]  # the row to change, None for a new one, and the fields sent for it


@dataclass(frozen=True)
class Written:
    """What a write answers, and how many records it created, changed or deleted."""

    body: dict[str, Any]
    records: int


def create(workspace: Workspace, table: Table, body: dict[str, Any]) -> Written:
    """One record (`fields`) or up to 10 (`records`)."""
    if "records" in body:
        new = _record_list(body, _CREATE_SHAPE)
        rows = _write(workspace, table, body, [(None, _fields(record)) for record in new])
        return Written({"records": _shown(workspace, table, rows, body)}, len(rows))
    rows = _write(workspace, table, body, [(None, _fields(body))])
    return Written(_shown(workspace, table, rows, body)[0], 1)


def update_one(workspace: Workspace, table: Table, record_id: str, body: dict[str, Any], replace: bool) -> Written:
    """`replace` (PUT) empties what is not named. A record of another table is refused as one that is gone."""
    row = workspace.rows.get(record_id)
    if row is None or row.table_id != table.id:
        raise errors.no_such_model()
    rows = _write(workspace, table, body, [(row, _fields(body))], replace)
    return Written(_shown(workspace, table, rows, body)[0], 1)


def update_many(workspace: Workspace, table: Table, body: dict[str, Any], replace: bool) -> Written:
    """Up to 10 records by ID, or with `performUpsert` by their merge fields."""
    if "records" not in body:
        raise errors.missing_body_field("records")
    if body.get("performUpsert") is not None:
        return _upsert(workspace, table, body, replace)
    sent = _record_list(body, _UPDATE_SHAPE)
    targets: list[Target] = [(_existing(workspace, table, record.get("id")), _fields(record)) for record in sent]
    rows = _write(workspace, table, body, targets, replace)
    return Written({"records": _shown(workspace, table, rows, body)}, len(rows))


def delete_one(workspace: Workspace, table: Table, record_id: str) -> Written:
    row = workspace.rows.get(record_id)
    if row is None or row.table_id != table.id:
        raise errors.no_such_model()
    with workspace.storage.transaction():
        workspace.rows.delete(record_id)
    return Written({"id": record_id, "deleted": True}, 1)


def delete_many(workspace: Workspace, table: Table, record_ids: list[str]) -> Written:
    if not 1 <= len(record_ids) <= BATCH_LIMIT or len(set(record_ids)) < len(record_ids):
        raise errors.invalid_records(_DELETE_SHAPE)
    for record_id in record_ids:
        _existing(workspace, table, record_id)
    with workspace.storage.transaction():
        for record_id in record_ids:
            workspace.rows.delete(record_id)
    return Written({"records": [{"id": record_id, "deleted": True} for record_id in record_ids]}, len(record_ids))


def _upsert(workspace: Workspace, table: Table, body: dict[str, Any], replace: bool) -> Written:
    """All matches are made before anything is written: two new records of one call with the same key become two rows."""
    merge_on = merge_fields(table, body["performUpsert"])
    sent = _record_list(body, _UPDATE_SHAPE)
    targets: list[Target] = []
    for record in sent:
        fields = _fields(record)
        if "id" in record:
            targets.append((_existing(workspace, table, record["id"]), fields))
        else:
            targets.append((matches(workspace, table, merge_on, fields, truthy(body.get("typecast"))), fields))
    rows = _write(workspace, table, body, targets, replace)
    is_new = [target is None for target, _ in targets]
    answer = {
        "records": _shown(workspace, table, rows, body),
        "createdRecords": [row.id for row, new in zip(rows, is_new, strict=True) if new],
        "updatedRecords": [row.id for row, new in zip(rows, is_new, strict=True) if not new],
    }
    return Written(answer, len(rows))


def _write(workspace: Workspace, table: Table, body: dict[str, Any], targets: list[Target], replace: bool = False) -> list[Row]:
    """Writes each target: None is a new row. Raises ApiError, with nothing applied, when a row is named twice."""
    named = [row.id for row, _ in targets if row is not None]
    if len(set(named)) < len(named):
        raise errors.invalid_records(_UPDATE_SHAPE)
    writer = RowWriter(workspace, table, typecast=truthy(body.get("typecast")))
    with workspace.storage.transaction():
        return [writer.write(row, fields, replace) for row, fields in targets]


def _record_list(body: dict[str, Any], shape: str) -> list[dict[str, Any]]:
    records = body["records"]
    if not isinstance(records, list) or not 1 <= len(records) <= BATCH_LIMIT or not all(isinstance(r, dict) for r in records):
        raise errors.invalid_records(shape)
    return records


def _fields(record: dict[str, Any]) -> dict[str, Any]:
    if "fields" not in record:
        raise errors.missing_body_field("fields")
    fields = record["fields"]
    if not isinstance(fields, dict):
        raise errors.invalid_request()
    return fields


def _existing(workspace: Workspace, table: Table, record_id: object) -> Row:
    if not isinstance(record_id, str) or not is_id(record_id, "rec"):
        raise errors.invalid_records(_UPDATE_SHAPE)
    row = workspace.rows.get(record_id)
    if row is None or row.table_id != table.id:
        raise errors.no_such_record(record_id)
    return row


def _shown(workspace: Workspace, table: Table, rows: list[Row], body: dict[str, Any]) -> list[dict[str, Any]]:
    by_id = truthy(body.get("returnFieldsByFieldId"))
    return RecordReader(workspace, workspace.reload(table)).records(rows, by_id=by_id)
