"""Reading a row's hash although its status is none of the four.

Statuses are derived, so a wrong word in one costs nothing but itself: it must not keep a partition from being folded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from contract.status import Status
from worker.rows import AnyRow, from_hash

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def read_row(fields: Mapping[bytes, bytes], decimals: Collection[str]) -> AnyRow:
    """The row in a hash. A status that is none of the four is read as Running, until a fold derives it anew.

    Raises msgspec.DecodeError or KeyError for a hash that holds no row. `decimals`: metrics kept as decimals.
    """
    try:
        return from_hash(fields, decimals)
    except msgspec.ValidationError:
        state = _fields(fields[b"state"])
        if _odd(state) is None:
            raise
        del state["status"]
        return from_hash({**fields, b"state": _encode(state)}, decimals)


def written_status(fields: Mapping[bytes, bytes]) -> str | None:
    """The status as it stands in a row's hash, when it is none of the four; else None."""
    try:
        return _odd(_fields(fields.get(b"state", b"")))
    except msgspec.DecodeError:
        return None


def _odd(state: Mapping[str, msgspec.Raw]) -> str | None:
    """The status in a row's state when it is none of the four, as text; else None."""
    if "status" not in state:
        return None
    status = msgspec.json.decode(state["status"])
    return None if status in tuple(Status) else str(status)
