"""Reading Airtable's refusals: which column, which record, which fault. Pure.

The texts are those that Airtable has been seen to answer with; where one says nothing that is known here, the answer is None, and
mending.py searches by trial.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from contract.errors import AirtableRejected
from worker.flush.columns import Fields
from worker.flush.naming import TableNaming

_ROW_FAULTS = frozenset({400, 413, 422})
_OPTIONS = "INVALID_MULTIPLE_CHOICE_OPTIONS"
_RECORD_ID = re.compile(r"\brec[A-Za-z0-9]{14}\b")


def about_rows(refusal: AirtableRejected) -> bool:
    """True when the rows sent may be at fault; False when it is the token, the base or the table."""
    return refusal.status in _ROW_FAULTS


def maybe_gone(refusal: AirtableRejected) -> bool:
    """True when a record that was named by its ID may not be there any more."""
    return refusal.kind == "ROW_DOES_NOT_EXIST" or refusal.status in {403, 404}


def too_large(refusal: AirtableRejected) -> bool:
    """True when the request had too many bytes."""
    return refusal.status == 413


def named_record(refusal: AirtableRejected) -> str | None:
    """The record ID that the text names."""
    found = _RECORD_ID.search(str(refusal))
    return found[0] if found else None


def several_match(refusal: AirtableRejected) -> bool:
    """True when several records have the key of the row. The type of this refusal is not known for sure; the words are."""
    return "more than one record" in str(refusal)


def option_lacking(refusal: AirtableRejected) -> bool:
    """True when a select field has no such option."""
    return refusal.kind == _OPTIONS


def unknown_column(refusal: AirtableRejected, columns: Iterable[str], naming: TableNaming) -> str | None:
    """The column that the table lacks."""
    text = str(refusal)
    return next((column for column in columns if text.endswith(f': Unknown field name: "{naming.of(column)}"')), None)


def computed_column(refusal: AirtableRejected, columns: Iterable[str], naming: TableNaming) -> str | None:
    """The column that is a formula or the like in the base, so that none of its values is ever taken."""
    return refused_column(refusal, dict.fromkeys(columns), naming) if "field is computed" in str(refusal) else None


def refused_column(refusal: AirtableRejected, fields: Fields, naming: TableNaming) -> str | None:
    """The column whose value was not taken, if the text says."""
    text = str(refusal)
    for column in fields:
        name = naming.of(column)
        if f': Field "{name}" cannot accept' in text or text.endswith(f" for field {name}"):
            return column
    if option_lacking(refusal):
        # The text names the option, not the field.
        return next((column for column, value in fields.items() if isinstance(value, str) and f'"{value}"' in text), None)
    return None
