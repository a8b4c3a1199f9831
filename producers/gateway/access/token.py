"""A token: what its holder may do, and the text that proves it. Only a digest of the text is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from enum import StrEnum
from typing import NamedTuple

import msgspec

MAX_NAME_CHARS = 100
"""The longest name of a token: it stands in every log line about its holder."""

_PREFIX = "rt"
_ID_BYTES = 6
_SECRET_BYTES = 32


class Scope(StrEnum):
    """What a token is for. None contains another."""

    INGEST = "ingest"
    """Send events, webhooks, lineage."""
    READ = "read"
    """Look at jobs and their client runs."""
    OPERATE = "operate"
    """Start and complete jobs."""


class Token(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a token, as JSON. `digest`: SHA-256 of the text, hex. Times in ms since the epoch.

    `clients`, `sources`: which of them it may write and read; empty for all. A source matches itself and what stands below it:
    `/crm` allows `/crm/leads`.
    """

    id: str
    name: str
    digest: str
    scopes: list[Scope]
    created_ms: int
    clients: list[str] = []
    sources: list[str] = []
    expires_ms: int | None = None

    def proves(self, text: str) -> bool:
        """Whether the text is this token's, in constant time."""
        return hmac.compare_digest(self.digest, digest_of(text))


class MadeToken(NamedTuple):
    """A new token and its text, which nobody can find out later."""

    token: Token
    text: str


def make_token(
    name: str, scopes: list[Scope], *, clients: list[str], sources: list[str], created_ms: int, expires_ms: int | None = None
) -> MadeToken:
    """A token with 256 random bits. `rt_<id>_<secret>`: the ID may be shown and logged, the rest may not."""
    token_id = secrets.token_hex(_ID_BYTES)
    text = f"{_PREFIX}_{token_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return MadeToken(Token(token_id, name, digest_of(text), scopes, created_ms, clients, sources, expires_ms), text)


def digest_of(text: str) -> str:
    """What is kept of a token's text. No salt and no stretching: 256 random bits cannot be guessed."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def id_of(text: str) -> str | None:
    """The ID in a token's text; None for what is no token."""
    prefix, _, rest = text.partition("_")
    token_id, _, secret = rest.partition("_")
    return token_id if prefix == _PREFIX and len(token_id) == 2 * _ID_BYTES and token_id.isalnum() and secret else None
