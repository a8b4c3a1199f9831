"""JSON read strictly: what two parsers could understand differently is refused (OWASP ASVS 5.0, 1.5.3)."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from contract.shown import shown


class JsonRefused(ValueError):
    """The text is no JSON, or JSON that is ambiguous: doubled names, numbers JSON has no form for, halves of characters, too deep."""


def strict_json(body: bytes, *, exact: bool = False) -> Any:
    """The value of a JSON text in UTF-8; `exact`: fractions as Decimal, with every digit. Raises JsonRefused, saying where and why."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise JsonRefused(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
    if text.startswith("\ufeff"):
        raise JsonRefused("the body begins with a byte order mark (BOM): leave it out")
    try:
        value = _decode_exact(text) if exact else _decode(text)
        if _ESCAPED_HALF(text) is not None:
            _require_whole(value)
    except json.JSONDecodeError as error:
        raise JsonRefused(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise JsonRefused("the body is nested too deeply") from None
    except JsonRefused:
        raise
    except ValueError:
        raise JsonRefused("the body holds a number of thousands of digits") from None
    return value


def _require_whole(value: Any) -> None:
    """Raises JsonRefused for half of a surrogate pair: it is no character, and cannot be written as UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise JsonRefused("a text holds half of a surrogate pair (\\ud800 to \\udfff) without the other half") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise JsonRefused(f"the name {shown(name)} stands twice in one object")
            seen.add(name)
    return members


def _exact(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise JsonRefused(f"{shown(text)} has an exponent beyond all numbers") from None


def _no_constant(name: str) -> NoReturn:
    raise JsonRefused(f"{name} is no JSON number")


_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]").search
_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant).decode
_decode_exact = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_exact).decode
