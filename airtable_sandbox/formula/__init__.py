"""Airtable's formula language: text -> tree -> value. Knows nothing of tables: fields come through a lookup function."""

from airtable_sandbox.formula.evaluate import Scope, evaluate
from airtable_sandbox.formula.lexer import with_field_ids
from airtable_sandbox.formula.parser import parse
from airtable_sandbox.formula.tree import FormulaInvalid, Node, fields_of
from airtable_sandbox.formula.values import FormulaFailed, Value, as_number, as_text, keeps, of_day

__all__ = [
    "FormulaFailed",
    "FormulaInvalid",
    "Node",
    "Scope",
    "Value",
    "as_number",
    "as_text",
    "evaluate",
    "fields_of",
    "keeps",
    "of_day",
    "parse",
    "with_field_ids",
]
