"""The members of a JSON body that a route reads by hand: of the right type, or refused by name."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from producers.gateway.problem import Problem
from producers.gateway.strict_json import JsonRefused, strict_json

Asked = TypeVar("Asked", bound=msgspec.Struct)
_where = re.compile(r"^(?P<reason>.*?)(?: - at `\$\.?(?P<where>[^`]*)`)?$", re.DOTALL).fullmatch
_missing = re.compile(r"`(\w+)`$").search


def json_value(body: bytes) -> Any:
    """What a JSON text says; all of it can be written again. Raises Problem (422)."""
    try:
        value = strict_json(body)
        msgspec.json.encode(value)
    except JsonRefused as error:
        raise Problem(422, "json-refused", str(error)) from None
    except (UnicodeEncodeError, RecursionError):
        raise Problem(422, "json-refused", "a text holds half of a surrogate pair, or the body is nested too deeply") from None
    return value


def converted(value: object, kind: type[Asked]) -> Asked:
    """The value as `kind`; members that it does not know are left out. Raises Problem (422) naming the member that does not fit."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        found = _where(str(error))
    assert found is not None
    reason, where = found["reason"], found["where"] or ""
    missing = _missing(reason) if reason.startswith("Object missing") else None
    if missing is not None:
        where = f"{where}.{missing[1]}".lstrip(".")
    raise member_refused(where or "the body", reason)


def member_refused(where: str, reason: str) -> Problem:
    """The refusal of one member of a body."""
    return Problem(422, "field-refused", f"{where}: {reason}", errors=[{"where": where, "reason": reason}])
