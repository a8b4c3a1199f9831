"""Where tokens are kept: a hash in Redis, ID -> JSON. For the command that makes them, and for the guard that asks for them."""

from __future__ import annotations

import msgspec

from contract import keys
from contract.link import Link
from producers.gateway.access.token import Token

_decode = msgspec.json.Decoder(Token).decode


def add(link: Link, token: Token) -> None:
    """Keep a token. Raises StoreUnavailable, StoreRefused; safe to repeat."""
    link.call("HSET", keys.TOKENS, token.id, msgspec.json.encode(token))


def remove(link: Link, token_id: str) -> bool:
    """Forget a token: whoever holds it is refused from then on. False if there is none. Raises StoreUnavailable, StoreRefused."""
    return bool(link.call("HDEL", keys.TOKENS, token_id))


def find(link: Link, token_id: str) -> Token | None:
    """The token of an ID. Raises StoreUnavailable, StoreRefused."""
    kept = link.call("HGET", keys.TOKENS, token_id)
    return None if kept is None else _decode(kept)


def all_tokens(link: Link) -> list[Token]:
    """Every token, oldest first. Raises StoreUnavailable, StoreRefused."""
    tokens = [_decode(kept) for kept in link.call("HVALS", keys.TOKENS)]
    return sorted(tokens, key=lambda token: token.created_ms)
