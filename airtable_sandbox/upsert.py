"""Upsert: which row a record without an ID means."""

from __future__ import annotations

from typing import Any

from airtable_sandbox import errors
from airtable_sandbox.cells import accept
from airtable_sandbox.rows import Row
from airtable_sandbox.schema import Field, Table
from airtable_sandbox.workspace import Workspace

MERGE_LIMIT = 3
_MERGEABLE = {"number", "singleLineText", "multilineText", "singleSelect", "multipleSelects", "date", "dateTime"}


def merge_fields(table: Table, option: Any) -> list[Field]:
    """The fields of `performUpsert`. Raises ApiError 422 unless they are 1 to 3, known, and of a type that can be merged on."""
    names = option.get("fieldsToMergeOn") if isinstance(option, dict) else None
    if not isinstance(names, list) or not 1 <= len(names) <= MERGE_LIMIT or not all(isinstance(name, str) for name in names):
        raise errors.invalid_request()
    fields: list[Field] = []
    for name in names:
        field = table.find(name)
        if field is None:
            raise errors.unknown_field(name)
        if field.type not in _MERGEABLE:
            raise errors.invalid_request(f'Field "{field.name}" cannot be merged on')
        fields.append(field)
    return fields


def matches(workspace: Workspace, table: Table, merge_on: list[Field], fields: dict[str, Any], typecast: bool) -> Row | None:
    """The row with the record's key, or None. Raises ApiError 422 when several have it, or the record lacks a key field."""
    key: dict[str, Any] = {}
    for field in merge_on:
        name = field.name if field.name in fields else field.id
        if name not in fields:
            raise errors.invalid_request(f'Every record needs the field to merge on "{field.name}"')
        key[field.id] = accept(field, fields[name], typecast)
    found = workspace.rows.matching(table.id, key)
    if len(found) > 1:
        raise errors.ambiguous_upsert(found)
    return workspace.rows.get(found[0]) if found else None
