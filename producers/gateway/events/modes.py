"""The three content modes of the CloudEvents HTTP binding (cloudevents.io, HTTP protocol binding 1.0.2, chapter 3)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec
from starlette.datastructures import Headers

from contract.shown import shown
from producers.gateway.problem import Problem
from producers.gateway.strict_json import JsonRefused, strict_json

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])


class Sent(NamedTuple):
    """One event as it was sent: its attributes, its own text where it is JSON as it stands, and why its data cannot be read."""

    attributes: Any
    raw: bytes | None
    fault: str = ""


def read_events(headers: Headers, body: bytes) -> list[Sent]:
    """The events of a request, of any shape yet. Raises Problem: 415 for another content type, 422 for what cannot be read."""
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if media == BATCH:
            return _batch(body)
        if media == STRUCTURED:
            return [_structured(strict_json(body), body)]
        if "ce-specversion" in headers:
            return [_binary(headers, media, body)]
        if media == "application/json":
            return _batch(body) if body.lstrip()[:1] == b"[" else [_structured(strict_json(body), body)]
    except JsonRefused as error:
        raise Problem(422, "json-refused", str(error)) from None
    detail = f"content type {shown(media)}: send {STRUCTURED}, {BATCH}, or JSON with ce- headers"
    raise Problem(415, "content-type-unknown", detail)


def _batch(body: bytes) -> list[Sent]:
    values = strict_json(body)
    if not isinstance(values, list):
        raise Problem(422, "no-batch", "a batch is a JSON array of events")
    # The texts themselves: a number keeps every digit that way.
    raws = _RAWS.decode(body)
    return [_structured(value, bytes(raw)) for value, raw in zip(values, raws, strict=True)]


def _structured(value: Any, raw: bytes) -> Sent:
    if isinstance(value, dict) and "data_base64" in value:
        try:
            return Sent(_unpacked(value), None)
        except JsonRefused as error:
            return Sent(value, None, f"data_base64: {error}")
    return Sent(value, raw)


def _unpacked(attributes: dict[str, Any]) -> dict[str, Any]:
    """The event with its JSON in `data`, which some senders encode as base64."""
    others = {name: value for name, value in attributes.items() if name != "data_base64"}
    if "data" in others:
        raise JsonRefused("an event has it or data, not both")
    try:
        data = base64.b64decode(attributes["data_base64"], validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise JsonRefused("no base64 text") from None
    return others | {"data": strict_json(data)}


def _binary(headers: Headers, media: str, body: bytes) -> Sent:
    attributes: dict[str, Any] = {}
    for name, value in headers.items():
        if name.startswith("ce-"):
            attribute = name[3:]
            if attribute in attributes:
                raise JsonRefused(f"the header {name} stands twice")
            try:
                attributes[attribute] = _header_text(value)
            except UnicodeDecodeError:
                # Not replaced: two IDs could become one that way.
                raise JsonRefused(f"the header {name} is no percent-encoded UTF-8") from None
    if "data" in attributes:
        raise JsonRefused("the data of an event in binary mode is the body, not a header")
    if body:
        # The SDKs leave the type of JSON data out, where nobody named it.
        if media and media != "application/json" and not media.endswith("+json"):
            raise Problem(415, "content-type-unknown", f"data of content type {shown(media)}: send JSON")
        attributes["data"] = strict_json(body)
    return Sent(attributes, None)


def _header_text(value: str) -> str:
    """A header's value: percent-encoded UTF-8, in quotes or not (chapter 3.1.3.2). Raises UnicodeDecodeError."""
    if len(value) >= 2 and value.startswith('"') and value.endswith('"'):
        value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return unquote(value, errors="strict")


def written(attributes: dict[str, Any]) -> bytes:
    """An event as JSON. For what has no text of its own, and for what was changed."""
    return json.dumps(attributes, separators=(",", ":")).encode()
