"""What makes a delivery of leads or profiles the same as another one."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from starlette.datastructures import Headers

from producers.gateway.webhooks.sender import Received

_CHARS = 40


class Delivery(NamedTuple):
    """`digest`: 160 bits, the same for every repeat, hex. `body`: the same for the same bytes. `keyed`: known by its Idempotency-Key."""

    digest: str
    body: str
    keyed: bool


def delivery_of(kind: str, client: str, received: Received, headers: Headers) -> Delivery:
    """By webhook-id, else Idempotency-Key, else the raw body: each together with the kind and the client.

    A signed webhook-id belongs to its signer, not to the client that the request names: whoever caught a request cannot have it counted
    for another client."""
    body = _hex(received.body)
    message_id, key = headers.get("webhook-id"), headers.get("idempotency-key")
    whose = received.sender.signer or client
    if message_id:
        return Delivery(_digest("id", kind, whose, message_id), body, False)
    if key:
        return Delivery(_digest("key", kind, client, key), body, True)
    return Delivery(_digest("body", kind, client, body), body, False)


def _digest(*parts: str) -> str:
    # Lengths in front, so that no two lists of parts read alike.
    return _hex(b"".join(b"%d:%s" % (len(text), text) for text in map(str.encode, parts)))


def _hex(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:_CHARS]
