"""Values of formulas and how Airtable turns one kind into another. None is BLANK()."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time

from airtable_sandbox.moments import format_moment, parse_moment
from airtable_sandbox.numbers import js_number

Scalar = str | float | bool | datetime | None
Value = Scalar | list[str]


class FormulaFailed(Exception):
    """A well-formed formula that has no value for this record: Airtable shows #ERROR!."""


def as_number(value: Value) -> float:
    """Blank is 0, true is 1. Raises FormulaFailed for text and moments."""
    if value is None:
        return 0.0
    if isinstance(value, bool | int | float):
        return float(value)
    raise FormulaFailed("not a number")


def as_text(value: Value) -> str:
    """Blank is the empty text; a moment is ISO 8601; several values are joined with a comma and a space."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return str(js_number(value)) if math.isfinite(value) else "NaN"
    if isinstance(value, datetime):
        return format_moment(value)
    return ", ".join(value) if isinstance(value, list) else value


def as_moment(value: Value) -> datetime | None:
    """Blank stays blank. Raises FormulaFailed for what is neither a moment nor text that reads as one."""
    if value is None or isinstance(value, datetime):
        return value
    moment = parse_moment(value) if isinstance(value, str) else None
    if moment is None:
        raise FormulaFailed("not a date")
    return moment


def of_day(day: date) -> datetime:
    """A date as the moment at which it begins."""
    return datetime.combine(day, time(), UTC)


def keeps(value: Value) -> bool:
    """Whether a filter keeps a row with this value: everything but 0, false, empty text, nothing, NaN and an empty list."""
    return bool(value) and value == value  # noqa: PLR0124 - NaN differs from itself


def compare(left: Value, right: Value) -> int | None:
    """-1, 0 or 1 for less, equal, greater; None when the two have no order. Blank equals 0, false and empty text."""
    if isinstance(left, datetime) or isinstance(right, datetime):
        return _compare_moments(left, right)
    if _numeric(left) and _numeric(right):
        first, second = as_number(left), as_number(right)
        return None if math.isnan(first) or math.isnan(second) else (first > second) - (first < second)
    one, other = as_text(left), as_text(right)
    return (one > other) - (one < other)


def _numeric(value: Value) -> bool:
    return value is None or isinstance(value, bool | int | float)


def _compare_moments(left: Value, right: Value) -> int | None:
    try:
        one, other = as_moment(left), as_moment(right)
    except FormulaFailed:
        return None
    if one is None or other is None:
        return None
    return (one > other) - (one < other)
