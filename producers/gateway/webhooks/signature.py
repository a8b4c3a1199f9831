"""Signatures by the Standard Webhooks specification (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`.

Our own, and not the package of that name: on malformed headers it raises errors of five kinds, and it brings an HTTP client along.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple

from starlette.datastructures import Headers

from producers.gateway.problem import Problem

_NAMES = ("webhook-id", "webhook-timestamp", "webhook-signature")
_TOLERANCE_S = 300
_DIGEST_BYTES = 32
_MAX_SIGNATURES = 20
_MAX_TIMESTAMP_DIGITS = 12


class Signature(NamedTuple):
    """What the headers claim. `id`: the sender's, of this message. `head`: what is signed in front of the body."""

    id: str
    head: bytes
    digests: tuple[bytes, ...]

    def fits(self, key: bytes, body: bytes) -> bool:
        """Whether one of the digests is that of the raw body under the key, each compared in constant time."""
        signed = hmac.new(key, self.head, hashlib.sha256)
        signed.update(body)
        expected = signed.digest()
        return any(hmac.compare_digest(expected, digest) for digest in self.digests)


def is_signed(headers: Headers) -> bool:
    """Whether the request claims a signature, complete or not."""
    return any(name in headers for name in _NAMES)


def read_signature(headers: Headers, now_s: float) -> Signature:
    """The claim of well-formed headers, made within five minutes of now. Raises Problem (401)."""
    values = [headers.getlist(name) for name in _NAMES]
    if any(len(value) != 1 or not value[0] for value in values):
        raise Problem(401, "signature-incomplete", f"a signed webhook has each of these headers once: {', '.join(_NAMES)}")
    (message_id,), (timestamp,), (claims,) = values
    if not message_id.isascii():
        raise _malformed("webhook-id is not ASCII")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MAX_TIMESTAMP_DIGITS):
        raise _malformed("webhook-timestamp is no number of seconds since 1970")
    digests = _digests(claims)
    if abs(now_s - int(timestamp)) > _TOLERANCE_S:
        raise Problem(401, "signature-timestamp", f"webhook-timestamp is more than {_TOLERANCE_S} s from now: sign it when it is sent")
    return Signature(message_id, f"{message_id}.{timestamp}.".encode(), digests)


def _digests(claims: str) -> tuple[bytes, ...]:
    parts = claims.split(" ")
    if len(parts) > _MAX_SIGNATURES:
        raise _malformed(f"webhook-signature has more than {_MAX_SIGNATURES} parts")
    versions = [part.partition(",") for part in parts]
    try:
        # Other versions are keys of another kind: a sender may give both.
        found = [base64.b64decode(text.encode("ascii"), validate=True) for version, _, text in versions if version == "v1"]
    except (binascii.Error, UnicodeEncodeError):
        raise _malformed("webhook-signature is not `v1,<base64>`") from None
    digests = tuple(digest for digest in found if len(digest) == _DIGEST_BYTES)
    if not digests:
        raise _malformed(f"webhook-signature has no part `v1,<base64 of {_DIGEST_BYTES} bytes>`")
    return digests


def _malformed(reason: str) -> Problem:
    return Problem(401, "signature-malformed", reason)
