"""The Meta API: bases, tables and fields, read and changed. Each change is one transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airtable_sandbox import errors
from airtable_sandbox.field_options import changed_options, full_options
from airtable_sandbox.ids import new_id
from airtable_sandbox.linking import add_link
from airtable_sandbox.schema import LINK, Base, Field, Table
from airtable_sandbox.workspace import Workspace

_PRIMARY_TYPES = ("singleLineText", "multilineText", "url", "email", "number", "percent", "currency", "date", "dateTime")


def bases(workspace: Workspace) -> dict[str, Any]:
    shown = [{"id": base.id, "name": base.name, "permissionLevel": "create"} for base in workspace.catalog.current().bases]
    return {"bases": shown}


def tables(base: Base) -> dict[str, Any]:
    return {"tables": [table.as_json() for table in base.tables]}


def create_table(workspace: Workspace, base_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """The first field becomes the primary one. Link fields add their inverse to the other table."""
    name = _table_name(workspace.base(base_id), body.get("name"))
    sent = body.get("fields")
    if not isinstance(sent, list) or not sent or not all(isinstance(field, dict) for field in sent):
        raise errors.missing_body_field("fields")
    if sent[0].get("type") not in _PRIMARY_TYPES:
        raise errors.bad_field_options(f"{sent[0].get('type')} cannot be the primary field")
    table = Table(new_id("tbl"), base_id, name, new_id("viw"), _description(body), ())
    with workspace.storage.transaction():
        workspace.catalog.add_table(table)
        for field in sent:
            _add_field(workspace, workspace.reload(table), field)
        return workspace.reload(table).as_json()


def update_table(workspace: Workspace, table: Table, body: dict[str, Any]) -> dict[str, Any]:
    """Name and description."""
    base = workspace.base(table.base_id)
    name = table.name if body.get("name") in (None, table.name) else _table_name(base, body["name"])
    description = _description(body) if "description" in body else table.description
    with workspace.storage.transaction():
        workspace.catalog.rename_table(table, name, description)
        return workspace.reload(table).as_json()


def create_field(workspace: Workspace, table: Table, body: dict[str, Any]) -> dict[str, Any]:
    with workspace.storage.transaction():
        return _add_field(workspace, table, body).as_json()


def update_field(workspace: Workspace, table: Table, field_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Name, description and options; only what is named changes."""
    field = table.find(field_id)
    if field is None:
        raise errors.no_such_model()
    if "name" in body and body["name"] != field.name:
        field = replace(field, name=field_name(table, body["name"]))
    if "description" in body:
        field = replace(field, description=_description(body))
    if "options" in body:
        field = replace(field, options=changed_options(field, body["options"]))
    with workspace.storage.transaction():
        workspace.catalog.update_field(table, field)
    return field.as_json()


def field_name(table: Table, name: object) -> str:
    """The name of a field to be. Raises ApiError 422 when it is empty or taken, whatever its case."""
    if not isinstance(name, str) or not name.strip() or name.lower() in {f.name.lower() for f in table.fields}:
        raise errors.duplicate_field(str(name))
    return name


def _add_field(workspace: Workspace, table: Table, body: dict[str, Any]) -> Field:
    field_type = body.get("type")
    if not isinstance(field_type, str):
        raise errors.invalid_request()
    field = Field(new_id("fld"), field_name(table, body.get("name")), field_type, _description(body))
    if field_type == LINK:
        return add_link(workspace, table, field, body.get("options"))
    field = replace(field, options=full_options(field_type, body.get("options")))
    workspace.catalog.add_field(table, field)
    return field


def _table_name(base: Base, name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise errors.invalid_request()
    if name.lower() in {table.name.lower() for table in base.tables}:
        raise errors.duplicate_table(name)
    return name


def _description(body: dict[str, Any]) -> str | None:
    description = body.get("description")
    if description is not None and not isinstance(description, str):
        raise errors.invalid_request()
    return description or None
