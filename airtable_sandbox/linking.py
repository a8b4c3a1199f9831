"""Creating a link field, with the inverse field that Airtable adds to the linked table."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

from airtable_sandbox import errors
from airtable_sandbox.ids import new_id
from airtable_sandbox.schema import LINK, Field, Table
from airtable_sandbox.workspace import Workspace


def add_link(workspace: Workspace, table: Table, field: Field, options: Any) -> Field:
    """Stores the field and its inverse, inside the caller's transaction; returns the field. A table that links to itself has
    no inverse. Raises ApiError 422 for options that creating a link does not take."""
    if not isinstance(options, dict) or set(options) - {"linkedTableId", "viewIdForRecordSelection"}:
        raise errors.bad_field_options("a link takes linkedTableId")
    linked = workspace.base(table.base_id).find(str(options.get("linkedTableId")))
    if linked is None or linked.id != options["linkedTableId"]:
        raise errors.bad_field_options("linkedTableId is no table of this base")
    field = replace(field, options=_options(linked.id, reversed_=False))
    if linked.id != table.id:
        inverse = Field(new_id("fld"), _free_name(linked, table.name), LINK, None, _options(table.id, reversed_=True, inverse=field.id))
        field = replace(field, options=_options(linked.id, reversed_=False, inverse=inverse.id))
        workspace.catalog.add_field(linked, inverse)
    workspace.catalog.add_field(table, field)
    return field


def _options(linked_table_id: str, reversed_: bool, inverse: str | None = None) -> dict[str, Any]:
    options: dict[str, Any] = {"linkedTableId": linked_table_id, "isReversed": reversed_, "prefersSingleRecordLink": False}
    return options if inverse is None else options | {"inverseLinkFieldId": inverse}


def _free_name(table: Table, name: str) -> str:
    """The name, or the name and the first number from 2 that makes it free."""
    taken = {f.name.lower() for f in table.fields}
    if name.lower() not in taken:
        return name
    return next(f"{name} {number}" for number in count(2) if f"{name} {number}".lower() not in taken)
