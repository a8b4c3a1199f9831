"""Reading a row's hash whatever stands in it: nothing there must keep a partition from being folded.

Statuses are derived, so a wrong word in one costs nothing but itself. A hash that holds no row costs the row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from contract import keys
from contract.status import Status
from worker.fold import Unreadable
from worker.rows import AnyRow, from_hash

READ_ERRORS = (msgspec.DecodeError, KeyError, ValueError, TypeError, ArithmeticError, RecursionError)
"""What `read_row` may raise."""

NO_HASH = "what stands there is no hash"
"""Why a key of the wrong type holds no row."""

MOST_BYTES = 262_144
"""Most bytes kept of what stands in a hash that holds no row."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def read_row(fields: Mapping[bytes, bytes], decimals: Collection[str]) -> AnyRow:
    """The row in a hash. A status that is none of the four is read as Running, until a fold derives it anew.

    Raises one of READ_ERRORS for a hash that holds no row. `decimals`: metrics kept as decimals.
    """
    try:
        return from_hash(fields, decimals)
    except msgspec.ValidationError:
        state = _fields(fields[b"state"])
        if _odd(state) is None:
            raise
        del state["status"]
        return from_hash({**fields, b"state": _encode(state)}, decimals)


def row_or_reason(row_id: str, fields: Mapping[bytes, bytes], decimals: Collection[str]) -> AnyRow | str:
    """The row of that ID in a hash, or why it is not there."""
    try:
        row = read_row(fields, decimals)
    except READ_ERRORS as error:
        return f"{type(error).__name__}: {error}"
    return row if row.row_id == row_id else f"it says that it is {row.row_id[:200]}"


def unreadable(fields: Mapping[bytes, bytes], reason: str) -> Unreadable:
    """What stands in a hash that holds no row."""
    texts = {_text(name): _text(value) for name, value in fields.items()}
    return Unreadable(reason, version_of(texts.get("v", "")), _encode(texts)[:MOST_BYTES])


def no_hash(key: str) -> Unreadable:
    """Something of another type at a row's key. It is kept whole, beside the row that is made in its place."""
    return Unreadable(NO_HASH, 0, _encode({"kept_as": keys.aside(key)}), no_hash=True)


def version_of(text: str) -> int:
    """The version that a hash's field `v` tells; 0 when it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")


def written_status(fields: Mapping[bytes, bytes]) -> str | None:
    """The status as it stands in a row's hash, when it is none of the four; else None."""
    try:
        return _odd(_fields(fields.get(b"state", b"")))
    except READ_ERRORS:
        return None


def _odd(state: Mapping[str, msgspec.Raw]) -> str | None:
    """The status in a row's state when it is none of the four, as text; else None."""
    if "status" not in state:
        return None
    status = msgspec.json.decode(state["status"])
    return None if status in tuple(Status) else str(status)
