"""HTTP -> plain values: path segments, query, JSON body, bearer token."""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.types import Receive, Scope

from airtable_sandbox import errors


def path_of(scope: Scope) -> list[str]:
    """The decoded segments of the path. Split before decoding, so that a name may contain an encoded slash."""
    raw = scope["raw_path"].decode("ascii", "replace")
    return [unquote(segment) for segment in raw.strip("/").split("/") if segment]


def query_of(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("ascii", "replace"), keep_blank_values=True)


def has_token(scope: Scope, token: str) -> bool:
    """Whether the request bears the token; compared in constant time."""
    header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    kind, _, sent = bytes(header).partition(b" ")
    return secrets.compare_digest(sent.strip(), token.encode()) and kind.lower() == b"bearer"


async def body_of(receive: Receive, most_bytes: int) -> bytes:
    """The whole body. Raises ApiError 413 as soon as it is longer than `most_bytes`, ConnectionError if the client leaves."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client left before its body was complete")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > most_bytes:
            raise errors.too_large()
    return bytes(body)


def json_of(body: bytes) -> dict[str, Any]:
    """The JSON object of a body, {} for none. Raises ApiError 422 for anything else, NaN and infinity included.

    Lone surrogates, which no JSON text should hold but escapes can, become U+FFFD: neither SQLite nor UTF-8 can carry them.
    """
    if not body.strip():
        return {}
    try:
        parsed = json.loads(body, parse_constant=_refuse)
        if b"\\u" in body:
            parsed = json.loads(json.dumps(parsed, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except (ValueError, RecursionError) as wrong:
        raise errors.bad_body() from wrong
    if not isinstance(parsed, dict):
        raise errors.bad_body()
    return parsed


def _refuse(constant: str) -> None:
    raise ValueError(constant)
