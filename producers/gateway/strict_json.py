"""JSON read strictly: what two parsers could understand differently is refused (OWASP ASVS 5.0, 1.5.3)."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from contract.shown import shown


class JsonRefused(ValueError):
    """The text is no JSON, or JSON that is ambiguous: doubled names, numbers JSON has no form for, too deep."""


def strict_json(body: bytes) -> Any:
    """The value of a JSON text in UTF-8. Raises JsonRefused, saying where and why."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise JsonRefused(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
    try:
        return _decode(text)
    except json.JSONDecodeError as error:
        raise JsonRefused(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise JsonRefused("the body is nested too deeply") from None
    except ValueError as error:
        raise JsonRefused(str(error)) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {shown(name)} stands twice in one object")
            seen.add(name)
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant).decode
