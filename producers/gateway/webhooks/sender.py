"""Who sent a webhook: proven by a signature over its raw body, by a shared secret in a header, or by a bearer token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from starlette.requests import Request

from contract.webhook_secrets import EVERY_CLIENT
from producers.gateway.access.caller import Caller
from producers.gateway.access.token import Scope
from producers.gateway.problem import Problem
from producers.gateway.webhooks.signature import Signature, is_signed, read_signature

if TYPE_CHECKING:
    from producers.gateway.context import Gateway

SECRET_HEADER = "x-webhook-secret"  # noqa: S105  # the header's name
_BLOCKING_BYTES = 262_144


class Sender(NamedTuple):
    """`caller`: what it may do. `signer`: whose secret has signed, None where nothing was signed."""

    caller: Caller
    signer: str | None = None


class Received(NamedTuple):
    """A request whose sender is known, and its raw body."""

    sender: Sender
    body: bytes


@asynccontextmanager
async def received(gateway: Gateway, request: Request, source: str) -> AsyncIterator[Received]:
    """The request, held in memory while the block is open. `source`: what its events will say.

    A claimed signature decides, else the shared secret, else the token. Raises Problem: 401, 403, 429, and what bodies raise."""
    signature = read_signature(request.headers, time.time()) if _claims_signature(request) else None
    sender = None if signature is not None else await _unsigned(gateway, request)
    async with gateway.bodies.read(request) as body:
        if signature is not None:
            sender = await _signed(gateway, signature, body)
        assert sender is not None
        sender.caller.require(Scope.INGEST)
        sender.caller.require_source(source)
        yield Received(sender, body)


def _claims_signature(request: Request) -> bool:
    """A webhook-id beside a token or a secret is an identity, not a claim."""
    headers = request.headers
    proven_otherwise = SECRET_HEADER in headers or "authorization" in headers
    return "webhook-signature" in headers or (is_signed(headers) and not proven_otherwise)


async def _unsigned(gateway: Gateway, request: Request) -> Sender:
    texts = request.headers.getlist(SECRET_HEADER)
    if not texts:
        return Sender(await gateway.caller(request))
    owner = gateway.webhooks.vault.holder(texts[0]) if len(texts) == 1 else None
    if owner is None:
        raise Problem(401, "secret-wrong", "X-Webhook-Secret is no secret of a webhook's sender (RUNTALLY_WEBHOOK_SECRETS)")
    return Sender(_caller(gateway, owner))


async def _signed(gateway: Gateway, signature: Signature, body: bytes) -> Sender:
    vault = gateway.webhooks.vault
    if len(body) * vault.keys > _BLOCKING_BYTES:
        owner = await asyncio.to_thread(vault.signer, signature, body)
    else:
        owner = vault.signer(signature, body)
    if owner is None:
        detail = "the signature fits no secret of a webhook's sender: sign `id.timestamp.body`, the body as it is sent, byte for byte"
        raise Problem(401, "signature-wrong", detail)
    return Sender(_caller(gateway, owner), owner)


def _caller(gateway: Gateway, owner: str) -> Caller:
    who = f"webhook:{owner}"
    gateway.guard.keep_pace(who)
    return Caller(who, who, frozenset({Scope.INGEST}), None if owner == EVERY_CLIENT else frozenset({owner}))
