"""A webhook's body as JSON."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers

from contract.shown import shown
from producers.gateway.problem import Problem
from producers.gateway.strict_json import JsonRefused, strict_json

_ERRORS_TOLD = 100


def read_json(headers: Headers, body: bytes, *, exact: bool = False) -> Any:
    """The value of the body; `exact`: fractions as Decimal. Raises Problem: 415 for another content type, 422 for what is no JSON."""
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        raise Problem(415, "content-type-unknown", f"content type {shown(media)}: send application/json")
    try:
        return strict_json(body, exact=exact)
    except JsonRefused as error:
        raise Problem(422, "json-refused", str(error)) from None


def read_items(headers: Headers, body: bytes, most: int) -> list[dict[str, Any]]:
    """The items of one JSON object, or of an array of objects. Raises Problem: as `read_json`, and 413 above `most` items."""
    value = read_json(headers, body)
    items = value if isinstance(value, list) else [value]
    if len(items) > most:
        raise Problem(413, "batch-too-large", f"a request may carry {most:,} items, this one has {len(items):,}: split it")
    errors = [
        {"index": index, "reason": f"[{index}] is no JSON object: {shown(item)}"}
        for index, item in enumerate(items)
        if not isinstance(item, dict)
    ]
    if errors:
        detail = f"{errors[0]['reason']}; send one object, or an array of objects; nothing was taken"
        raise Problem(422, "items-refused", detail, errors=errors[:_ERRORS_TOLD])
    return items
