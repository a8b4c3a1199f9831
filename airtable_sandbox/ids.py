"""Airtable's identifiers: a three-letter prefix (app, tbl, fld, rec, sel, viw, itr) and 14 letters and digits."""

from __future__ import annotations

import re
import secrets
import string

_ALPHABET = string.ascii_letters + string.digits
_SHAPE = re.compile(r"[a-z]{3}[A-Za-z0-9]{14}")


def new_id(prefix: str) -> str:
    """A fresh identifier; 62^14 possibilities, so a collision is not checked for."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(14))


def is_id(value: object, prefix: str) -> bool:
    """Whether `value` has the shape of an identifier with this prefix."""
    return isinstance(value, str) and value.startswith(prefix) and _SHAPE.fullmatch(value) is not None
