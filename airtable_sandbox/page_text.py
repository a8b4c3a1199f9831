"""A cell as text for people: what Airtable's grid would show, roughly."""

from __future__ import annotations

from typing import Any

from airtable_sandbox.record_reader import RecordReader
from airtable_sandbox.rows import Row
from airtable_sandbox.schema import Field

NUMERIC = {"number", "percent", "currency"}
_LONGEST = 4_000  # characters of one cell on the page; the API has the rest


def cell_text(reader: RecordReader, row: Row, field: Field) -> str:
    """Never raises; a formula without a value is #ERROR!."""
    stored = row.cells.get(field.id)
    if stored is not None and field.type in NUMERIC:
        return _number(field, stored)
    if stored is not None and field.type == "dateTime":
        return str(stored)[:19].replace("T", " ")
    text = reader.text(row, field)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def _number(field: Field, stored: Any) -> str:
    options = field.options or {}
    digits = options.get("precision", 0)
    if field.type == "percent":
        return f"{stored * 100:.{digits}f} %"
    shown = f"{stored:,.{digits}f}"
    return f"{options['symbol']}{shown}" if field.type == "currency" else shown
