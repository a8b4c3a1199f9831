"""The secrets of webhook senders, and whose the one is that a request proves to know."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from contract.webhook_secrets import signing_key
from producers.gateway.webhooks.signature import Signature


class Vault:
    """Owners (a client ID, or `*`) and their secrets. Every secret is tried for every request, so that time tells nothing of them."""

    def __init__(self, secrets: Mapping[str, Sequence[SecretStr]]) -> None:
        """`secrets`: as in the settings, checked there."""
        self._keys: list[tuple[str, bytes]] = []
        self._shared: list[tuple[str, bytes]] = []
        for owner, texts in secrets.items():
            for text in texts:
                secret = text.get_secret_value()
                key = signing_key(secret)
                if key is None:
                    self._shared.append((owner, _digest(secret)))
                else:
                    self._keys.append((owner, key))

    @property
    def keys(self) -> int:
        """How many signing keys there are."""
        return len(self._keys)

    def signer(self, signature: Signature, body: bytes) -> str | None:
        """The owner of the key that a body was signed with."""
        return _only([owner for owner, key in self._keys if signature.fits(key, body)])

    def holder(self, text: str) -> str | None:
        """The owner of a shared secret."""
        digest = _digest(text)
        return _only([owner for owner, own in self._shared if hmac.compare_digest(own, digest)])


def _digest(text: str) -> bytes:
    """Of one length for every text: comparing texts would tell how long the secret is."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _only(owners: list[str]) -> str | None:
    # No two owners share a secret: the settings refuse that.
    return owners[0] if owners else None
