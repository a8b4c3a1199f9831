"""`POST /v1/events`."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from producers.gateway.access.caller import Caller
from producers.gateway.access.token import Scope
from producers.gateway.context import Gateway, gateway_of
from producers.gateway.described import EVENTS_BODY, problems, taken
from producers.gateway.direct import DirectRoute
from producers.gateway.entry import Entry
from producers.gateway.events.checking import EventRefused, check
from producers.gateway.events.modes import BATCH, STRUCTURED, Sent, read_events
from producers.gateway.events.plain import plain_entry
from producers.gateway.problem import Problem

router = APIRouter(tags=["events"], route_class=DirectRoute)
_ERRORS_TOLD = 100


@router.post(
    "/v1/events",
    status_code=202,
    summary="Send events",
    openapi_extra=EVENTS_BODY,
    responses={**taken("The log has them."), **problems(400, 401, 403, 408, 413, 415, 422, 429, 503)},
)
async def post_events(request: Request) -> Response:
    """CloudEvents 1.0 in structured, batch or binary mode. 202 once the log has all of them; an event sent again counts once.

    422 names the events that cannot be used; the others of the same request are in the log then, and counted (`accepted`).
    """
    gateway = gateway_of(request)
    caller = await gateway.caller(request)
    caller.require(Scope.INGEST)
    async with gateway.bodies.read(request) as body:
        entry = _plain(gateway, caller, request, body)
        if entry is not None:
            await gateway.put([entry])
            accepted = entry.events
        else:
            accepted = await take(gateway, caller, read_events(request.headers, body))
    return Response(b'{"accepted":%d}' % accepted, 202, media_type="application/json")


def _plain(gateway: Gateway, caller: Caller, request: Request, body: bytes) -> Entry | None:
    media = request.headers.get("content-type")
    if media not in (STRUCTURED, BATCH):
        return None
    settings = gateway.settings
    most_events = min(settings.gateway_batch_events, settings.batch_events)
    return plain_entry(body, caller, batch=media == BATCH, most_events=most_events, most_bytes=settings.batch_bytes)


async def take(gateway: Gateway, caller: Caller, sent: list[Sent]) -> int:
    """Put what can be used into the log; how many events that are. Raises Problem."""
    most = gateway.settings.gateway_batch_events
    if len(sent) > most:
        raise Problem(413, "batch-too-large", f"a request may carry {most:,} events, this one has {len(sent):,}: split it")
    entries: list[Entry] = []
    errors: list[dict[str, Any]] = []
    for index, event in enumerate(sent):
        try:
            entries.append(check(event, caller))
        except EventRefused as error:
            errors.append({"index": index, "reason": str(error)} | _identity(event))
    if entries:
        await gateway.put(entries)
    if errors:
        gateway.counters["events_refused"] += len(errors)
        detail = f"{len(errors):,} of {len(sent):,} events cannot be used: mend them; the others were taken"
        if len(sent) == 1:
            detail = errors[0]["reason"]
        raise Problem(422, "events-refused", detail, errors=errors[:_ERRORS_TOLD], more={"accepted": len(entries)})
    return len(entries)


def _identity(event: Sent) -> dict[str, Any]:
    """Its ID, if it has one that can be shown."""
    found = event.attributes.get("id") if isinstance(event.attributes, dict) else None
    return {"id": found[:200]} if isinstance(found, str) and _is_writable(found) else {}


def _is_writable(text: str) -> bool:
    try:
        msgspec.json.encode(text)
    except UnicodeEncodeError:
        return False
    return True
