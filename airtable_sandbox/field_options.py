"""The options of each field type: what creating a field needs, and the full form that Airtable answers with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from airtable_sandbox import errors
from airtable_sandbox.ids import new_id
from airtable_sandbox.schema import LINK, Field

_DATE_FORMATS = {"local": "l", "friendly": "LL", "us": "M/D/YYYY", "european": "D/M/YYYY", "iso": "YYYY-MM-DD"}
_TIME_FORMATS = {"12hour": "h:mma", "24hour": "HH:mm"}
_COLOR = "blueLight2"
_PLAIN = {"singleLineText", "multilineText", "url", "email"}


def full_options(field_type: str, options: Any) -> dict[str, Any] | None:
    """The stored options of a new field; None for types that have none. Raises ApiError 422.

    Link fields are not for here: their options name another table (see linking.py).
    """
    if options is not None and not isinstance(options, dict):
        raise errors.bad_field_options("options must be an object")
    if field_type in _PLAIN:
        if options:
            raise errors.bad_field_options(f"{field_type} has none")
        return None
    if field_type not in _FULL:
        raise errors.unsupported_field_type(field_type)
    return _FULL[field_type](options or {})


def with_choices(field: Field, names: list[str]) -> Field:
    """The select field with these options added at the end."""
    choices = (field.options or {}).get("choices", [])
    return replace(field, options={**(field.options or {}), "choices": [*choices, *(_choice({"name": name}) for name in names)]})


def changed_options(field: Field, options: Any) -> dict[str, Any] | None:
    """The options after a PATCH. Options of a select keep their IDs, and none can be taken away. Raises ApiError 422."""
    if field.type == LINK:
        raise errors.bad_field_options("the options of a link cannot be changed")
    fresh = full_options(field.type, options)
    if fresh is None or "choices" not in fresh:
        return fresh
    known = {choice["name"]: choice for choice in (field.options or {}).get("choices", [])}
    names = [choice["name"] for choice in fresh["choices"]]
    if set(known) - set(names):
        raise errors.bad_field_options("an option cannot be taken away")
    return {"choices": [known.get(choice["name"], choice) for choice in fresh["choices"]]}


def _precision(options: dict[str, Any], most: int = 8) -> int:
    precision = options.get("precision")
    if isinstance(precision, bool) or not isinstance(precision, int) or not 0 <= precision <= most:
        raise errors.bad_field_options(f"precision must be a whole number from 0 to {most}")
    return precision


def _number(options: dict[str, Any]) -> dict[str, Any]:
    return {"precision": _precision(options)}


def _currency(options: dict[str, Any]) -> dict[str, Any]:
    return {"precision": _precision(options, 7), "symbol": _text(options, "symbol")}


def _checkbox(options: dict[str, Any]) -> dict[str, Any]:
    return {"icon": _text(options, "icon"), "color": _text(options, "color")}


def _select(options: dict[str, Any]) -> dict[str, Any]:
    choices = options.get("choices")
    if not isinstance(choices, list):
        raise errors.bad_field_options("choices must be an array")
    full = [_choice(choice) for choice in choices]
    if len({choice["name"] for choice in full}) < len(full):
        raise errors.bad_field_options("two choices have the same name")
    return {"choices": full}


def _choice(choice: Any) -> dict[str, Any]:
    if not isinstance(choice, dict):
        raise errors.bad_field_options("a choice must be an object")
    return {"id": new_id("sel"), "name": _text(choice, "name"), "color": _text({"color": _COLOR} | choice, "color")}


def _date(options: dict[str, Any]) -> dict[str, Any]:
    return {"dateFormat": _format(options, "dateFormat", _DATE_FORMATS)}


def _date_time(options: dict[str, Any]) -> dict[str, Any]:
    zone = _text(options, "timeZone")
    try:
        if zone not in {"utc", "client"}:
            ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        raise errors.bad_field_options(f"timeZone {zone} is not known") from None
    return {"timeZone": zone} | _date(options) | {"timeFormat": _format(options, "timeFormat", _TIME_FORMATS)}


def _format(options: dict[str, Any], key: str, known: dict[str, str]) -> dict[str, str]:
    chosen = options.get(key)
    name = chosen.get("name") if isinstance(chosen, dict) else None
    if not isinstance(name, str) or name not in known:
        raise errors.bad_field_options(f"{key} needs a name, one of {', '.join(known)}")
    return {"name": name, "format": known[name]}


def _text(options: dict[str, Any], key: str) -> str:
    value = options.get(key)
    if not isinstance(value, str) or not value.strip():
        raise errors.bad_field_options(f"{key} must be a text")
    return value


_FULL: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "number": _number,
    "percent": _number,
    "currency": _currency,
    "checkbox": _checkbox,
    "singleSelect": _select,
    "multipleSelects": _select,
    "date": _date,
    "dateTime": _date_time,
}
