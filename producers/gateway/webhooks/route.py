"""`POST /webhooks/leads` and `POST /webhooks/profiles`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from contract.errors import RuntallyError
from contract.events import EventType
from contract.run_id import with_client
from producers.gateway.context import Gateway, gateway_of, unavailable
from producers.gateway.described import answered, problems, ref
from producers.gateway.handlers import handler_of
from producers.gateway.problem import Problem
from producers.gateway.tracking import track
from producers.gateway.webhooks.client import client_of, named_client
from producers.gateway.webhooks.delivery import Delivery, delivery_of
from producers.gateway.webhooks.described import webhook
from producers.gateway.webhooks.reading import read_items
from producers.gateway.webhooks.receipts import Receipt
from producers.gateway.webhooks.refused import failed_items, kept_if_refused
from producers.gateway.webhooks.rolling import run_at
from producers.gateway.webhooks.sender import received
from producers.gateway.webhooks.telling import announcements, source_of, told

router = APIRouter(tags=["webhooks"])
_ITEMS = {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}
_RESPONSES = {
    **answered(202, "The log has it; a repeat is answered the same.", ref("WebhookTaken")),
    **problems(400, 401, 403, 408, 413, 415, 422, 429, 503),
}


@router.post("/webhooks/leads", status_code=202, summary="Send leads", openapi_extra=webhook(_ITEMS), responses=_RESPONSES)
async def post_leads(request: Request) -> Response:
    """One lead or an array of them, for one client. Each goes to the handler (`RUNTALLY_HANDLERS`), if there is one.

    A delivery is known by webhook-id, else Idempotency-Key, else its client and bytes; a repeat counts once.
    """
    return await _take(request, "leads")


@router.post("/webhooks/profiles", status_code=202, summary="Send profile updates", openapi_extra=webhook(_ITEMS), responses=_RESPONSES)
async def post_profiles(request: Request) -> Response:
    """One profile or an array of them, for one client; otherwise as leads."""
    return await _take(request, "profiles")


async def _take(request: Request, kind: str) -> Response:
    gateway = gateway_of(request)
    async with track(gateway, f"take_{kind}", event_type=EventType.CLIENT_COMPLETED) as line:
        client, delivery, items = await _delivered(gateway, request, kind, line)
        receipt = await _receipt(gateway, kind, client, delivery, items)
        answer = {"received": receipt.received, "accepted": receipt.accepted, "failed": receipt.failed, "skipped": receipt.skipped}
        line.update(answer, run_id=with_client(receipt.run, client))
        await _put(gateway, kind, delivery, receipt)
    return Response(msgspec.json.encode(answer | {"run_id": receipt.run}), 202, media_type="application/json")


class _Delivered(NamedTuple):
    client: str
    delivery: Delivery
    items: list[dict[str, Any]]


async def _delivered(gateway: Gateway, request: Request, kind: str, line: dict[str, Any]) -> _Delivered:
    """What a known sender has sent. Raises Problem; what cannot be used is kept as a dead letter."""
    async with received(gateway, request, source_of(kind)) as come, kept_if_refused(gateway, source_of(kind), come) as origin:
        line["caller"] = come.sender.caller.name
        client = client_of(come.sender.caller, named_client(request))
        if client is None:
            raise Problem(422, "client-missing", "name the client: ?client=<client ID>, or the header X-Webhook-Client")
        line["client_id"] = origin["client"] = client
        items = read_items(request.headers, come.body, gateway.settings.gateway_batch_events)
        return _Delivered(client, delivery_of(kind, client, come, request.headers), items)


async def _receipt(gateway: Gateway, kind: str, client: str, delivery: Delivery, items: list[dict[str, Any]]) -> Receipt:
    async def handle() -> Receipt:
        at = datetime.now(UTC)
        run = await run_at(gateway, kind, at)
        handled = await gateway.webhooks.handling.run(handler_of(kind), client, items)
        # Before the receipt, which a repeat is answered with: what is not kept by then, never is.
        letters = failed_items(kind, with_client(run, client), delivery.digest, handled.failures)
        gateway.counters["webhook_letters"] += await gateway.webhooks.letters.keep(letters)
        counts = (len(items), handled.accepted, handled.skipped, handled.failed)
        return Receipt(run, client, at, delivery.body, *counts, skips=dict(handled.skips), error=handled.error)

    try:
        receipt, first = await gateway.webhooks.receipts.once(delivery.digest, handle)
    except RuntallyError as error:
        raise unavailable(error) from error
    if delivery.keyed and receipt.body != delivery.body:
        raise Problem(422, "key-reused", "this Idempotency-Key came with another body before: give each delivery a key of its own")
    if first:
        for name in ("received", "accepted", "skipped", "failed"):
            gateway.counters[f"webhook_{kind}_{name}"] += getattr(receipt, name)
    else:
        gateway.counters[f"webhook_{kind}_repeats"] += 1
    return receipt


async def _put(gateway: Gateway, kind: str, delivery: Delivery, receipt: Receipt) -> None:
    known = gateway.webhooks.is_announced(receipt.run, receipt.client)
    await gateway.put([*([] if known else announcements(kind, receipt)), told(kind, delivery.digest, receipt)])
    gateway.webhooks.announced(receipt.run, receipt.client)
