"""Cell values: what each field type accepts, and the form in which it is stored.

The stored form is what the API shows, so reading needs no conversion. None means an empty cell, which is not stored at all.
Links are checked in writing.py, because that takes the other table.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from airtable_sandbox import errors
from airtable_sandbox.moments import format_moment, parse_date, parse_moment
from airtable_sandbox.numbers import js_number
from airtable_sandbox.schema import Field

TEXT_LIMIT = 100_000  # characters in a text cell; source: facts of the Web API's long text field


def accept(field: Field, value: Any, typecast: bool) -> Any:
    """The stored form of `value`, None for an empty cell. Raises ApiError 422 when the field does not take it.

    Select options that do not exist yet come back as they are when `typecast` is on: the caller adds them to the field.
    """
    if value is None:
        return None
    return _ACCEPT[field.type](field, value, typecast)


def _text(field: Field, value: Any, typecast: bool) -> str | None:
    if typecast and isinstance(value, bool | int | float):
        value = str(value).lower() if isinstance(value, bool) else str(js_number(value))
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        raise errors.value_not_accepted(field.name)
    return value or None


def _number(field: Field, value: Any, typecast: bool) -> int | float | None:
    if typecast and isinstance(value, str):
        return _number_of_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise errors.value_not_accepted(field.name)
    try:
        number = js_number(value)
    except OverflowError:
        raise errors.value_not_accepted(field.name) from None
    if not math.isfinite(number):
        raise errors.value_not_accepted(field.name)
    return number


def _number_of_text(text: str) -> int | float | None:
    """Best effort, as typecast promises: the first number in the text, else empty."""
    found = re.search(r"-?\d+(\.\d+)?", text.replace(",", ""))
    return js_number(float(found[0])) if found else None


def _checkbox(field: Field, value: Any, typecast: bool) -> bool | None:
    if typecast and isinstance(value, str | int | float):
        value = str(value).strip().lower() in {"true", "1", "checked", "yes"}
    if not isinstance(value, bool):
        raise errors.value_not_accepted(field.name)
    return value or None


def _option(field: Field, value: Any, typecast: bool) -> str:
    if not isinstance(value, str):
        raise errors.value_not_accepted(field.name)
    if typecast:
        return value.strip()
    if value not in field.choices:
        raise errors.no_such_option(value)
    return value


def _single_select(field: Field, value: Any, typecast: bool) -> str | None:
    return _option(field, value, typecast) or None


def _multiple_selects(field: Field, value: Any, typecast: bool) -> list[str] | None:
    if typecast and isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        raise errors.value_not_accepted(field.name)
    names = [_option(field, option, typecast) for option in value]
    return list(dict.fromkeys(name for name in names if name)) or None


def _date_time(field: Field, value: Any, typecast: bool) -> str | None:
    if not isinstance(value, str):
        raise errors.value_not_accepted(field.name)
    moment = parse_moment(value, _zone(field))
    if moment is None:
        if typecast:
            return None
        raise errors.value_not_parsed(field.name, value)
    return format_moment(moment)


def _zone(field: Field) -> tzinfo:
    """The zone of times sent without one. "client" is whoever looks; for an API call that is UTC."""
    name = (field.options or {}).get("timeZone", "utc")
    return UTC if name in {"utc", "client"} else ZoneInfo(name)


def _date(field: Field, value: Any, typecast: bool) -> str | None:
    if not isinstance(value, str):
        raise errors.value_not_accepted(field.name)
    day = parse_date(value)
    if day is None:
        if typecast:
            return None
        raise errors.value_not_parsed(field.name, value)
    return day.isoformat()


_ACCEPT: dict[str, Callable[[Field, Any, bool], Any]] = {
    "singleLineText": _text,
    "multilineText": _text,
    "url": _text,
    "email": _text,
    "number": _number,
    "percent": _number,
    "currency": _number,
    "checkbox": _checkbox,
    "singleSelect": _single_select,
    "multipleSelects": _multiple_selects,
    "dateTime": _date_time,
    "date": _date,
}
