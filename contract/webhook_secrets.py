"""Secrets of webhook senders: which kind a text is, and whether it is good enough to be one.

`whsec_<base64>` is a key for signatures (Standard Webhooks, standardwebhooks.com, chapter "Signature scheme") and never travels; any other
text is shared, and travels in a header.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence

from pydantic import SecretStr

from contract.run_id_value import client_fault
from contract.shown import shown

PREFIX = "whsec_"
EVERY_CLIENT = "*"
"""Owner of the secrets whose holders may write any client's rows."""

MIN_KEY_BYTES = 24
MIN_SHARED_CHARS = 16

WebhookSecrets = dict[str, tuple[SecretStr, ...]]
"""Client ID, or `*` -> its secrets: several, so that a new one can be brought in before the old one goes."""


def check_secrets(secrets: Mapping[str, Sequence[SecretStr]]) -> None:
    """Raises ValueError for a client or a secret that cannot be one, and for a secret of two owners; no secret is quoted."""
    owners: dict[str, str] = {}
    for owner, texts in secrets.items():
        fault = "" if owner == EVERY_CLIENT else client_fault(owner)
        if fault or owner != owner.strip():
            raise ValueError(f"the client ID {fault or f'{shown(owner)} has space around it'}")
        for number, text in enumerate(texts, 1):
            try:
                check_secret(text.get_secret_value())
            except ValueError as error:
                raise ValueError(f"secret {number} of {shown(owner)}: {error}") from None
            other = owners.setdefault(text.get_secret_value(), owner)
            if other != owner:
                raise ValueError(f"{shown(other)} and {shown(owner)} share a secret: nobody could tell their webhooks apart")


def texts_of(secrets: Mapping[str, Sequence[SecretStr]]) -> Iterator[str]:
    """Every text that must not be seen: the secrets, and signing keys also without their prefix."""
    for text in (text.get_secret_value() for texts in secrets.values() for text in texts):
        yield text
        if text.startswith(PREFIX):
            yield text.removeprefix(PREFIX)


def signing_key(secret: str) -> bytes | None:
    """The key in a `whsec_` secret, None for a shared text. Raises ValueError, which never quotes the secret."""
    if not secret.startswith(PREFIX):
        return None
    text = secret.removeprefix(PREFIX).rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"what follows {PREFIX} is not base64") from None
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"a {PREFIX} secret has at least {MIN_KEY_BYTES} bytes, this one has {len(key)}")
    return key


def check_secret(secret: str) -> None:
    """Raises ValueError for a text that cannot be a secret, without quoting it."""
    if signing_key(secret) is not None:
        return
    if len(secret) < MIN_SHARED_CHARS:
        raise ValueError(f"a shared secret has at least {MIN_SHARED_CHARS} characters, this one has {len(secret)}")
    if not secret.isascii() or not secret.isprintable() or secret != secret.strip():
        raise ValueError("a shared secret travels in a header: printable ASCII, no space around it")
