"""Adding a formula field, as a person does in Airtable's own window: the API refuses to."""

from __future__ import annotations

from typing import Any

from airtable_sandbox import errors
from airtable_sandbox.formula import FormulaInvalid, Node, fields_of, parse, with_field_ids
from airtable_sandbox.formula.tree import Call, Literal, Negation, Operation
from airtable_sandbox.ids import new_id
from airtable_sandbox.meta import field_name
from airtable_sandbox.schema import FORMULA, Field, Table
from airtable_sandbox.workspace import Workspace

_NUMERIC_CALLS = {"ABS", "DATETIME_DIFF", "FIND", "INT", "LEN", "MAX", "MIN", "MOD", "ROUND", "SEARCH", "SUM", "VALUE"}


def add_formula_field(workspace: Workspace, table: Table, body: dict[str, Any]) -> Field:
    """Stores a formula field of `name` and `formula`. Raises ApiError 422 for a formula that is none, or names no field."""
    name, text = field_name(table, body.get("name")), body.get("formula")
    if not isinstance(text, str):
        raise errors.bad_field_options("formula must be a text")
    try:
        node = parse(text)
    except FormulaInvalid as invalid:
        raise errors.bad_field_options(str(invalid)) from invalid
    ids: dict[str, str] = {}
    for referred in fields_of(node):
        found = table.find(referred)
        if found is None:
            raise errors.unknown_field(referred)
        ids[referred] = found.id
    options = {
        "isValid": True,
        "formula": with_field_ids(text, ids.__getitem__),
        "referencedFieldIds": list(dict.fromkeys(ids.values())),
        "result": {"type": "number", "options": {"precision": 0}} if _is_number(node) else {"type": "singleLineText"},
    }
    field = Field(new_id("fld"), name, FORMULA, None, options)
    with workspace.storage.transaction():
        workspace.catalog.add_field(table, field)
    return field


def _is_number(node: Node) -> bool:
    """Whether the formula's shape says that it gives a number; what is shown of the field, never used to compute."""
    if isinstance(node, Call):
        if node.function == "IF":
            return _is_number(node.arguments[1])
        return node.function in _NUMERIC_CALLS
    if isinstance(node, Operation):
        return node.operator != "&"
    return isinstance(node, Negation) or (isinstance(node, Literal) and isinstance(node.value, float))
