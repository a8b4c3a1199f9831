"""A value as it may stand in an error message: hostile text quoted and shortened."""

from __future__ import annotations

import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


def shown(value: object) -> str:
    """`repr` of a value in about 60 characters, control characters escaped. Never raises."""
    try:
        if isinstance(value, bytes | bytearray):
            value = value[:60]
        return _SHORT.repr(value)
    except Exception:  # noqa: BLE001  # a foreign __repr__ may raise anything, and so do integers above 4,300 digits
        return f"<{type(value).__name__}>"
