"""`POST /api/v1/lineage` and `/api/v1/lineage/batch`: where OpenLineage's clients send to (openlineage.io/apidocs/openapi)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from contract.shown import shown
from producers.gateway.access.caller import Caller
from producers.gateway.access.token import Scope
from producers.gateway.context import Gateway, gateway_of
from producers.gateway.described import answered, json_body, problems, ref
from producers.gateway.lineage.run_event import RunEvent, read_run_event
from producers.gateway.lineage.taking import take_run_events
from producers.gateway.members import json_value
from producers.gateway.problem import Problem

router = APIRouter(tags=["lineage"])
_ERRORS_TOLD = 100
_RESPONSES = {
    **answered(200, "The log has what they say.", ref("LineageTaken")),
    **problems(400, 401, 403, 408, 413, 415, 422, 429, 503),
}


@router.post("/api/v1/lineage", summary="Send an OpenLineage event", openapi_extra=json_body(ref("LineageEvent")), responses=_RESPONSES)
async def post_event(request: Request) -> Response:
    """A run event, plain or gzip. 200 once the log has what it says; sent again it counts once. Events of datasets and of jobs alone
    are taken and not used."""
    gateway = gateway_of(request)
    caller = await gateway.caller(request)
    caller.require(Scope.INGEST)
    return await _take(gateway, caller, [await _body(gateway, request)], alone=True)


@router.post(
    "/api/v1/lineage/batch",
    summary="Send OpenLineage events",
    openapi_extra=json_body({"type": "array", "items": ref("LineageEvent")}),
    responses=_RESPONSES,
)
async def post_batch(request: Request) -> Response:
    """An array of events. 422 names those that cannot be used; the others of the same request are in the log then (`accepted`)."""
    gateway = gateway_of(request)
    caller = await gateway.caller(request)
    caller.require(Scope.INGEST)
    values = await _body(gateway, request)
    if not isinstance(values, list):
        raise Problem(422, "no-batch", "a batch is a JSON array of events")
    most = gateway.settings.gateway_batch_events
    if len(values) > most:
        raise Problem(413, "batch-too-large", f"a request may carry {most:,} events, this one has {len(values):,}: split it")
    return await _take(gateway, caller, values, alone=False)


async def _body(gateway: Gateway, request: Request) -> Any:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise Problem(415, "content-type-unknown", f"content type {shown(media)}: send application/json")
    async with gateway.bodies.read(request, gzip=True) as body:
        return json_value(body)


async def _take(gateway: Gateway, caller: Caller, values: Sequence[Any], *, alone: bool) -> Response:
    events: list[RunEvent] = []
    errors: list[dict[str, Any]] = []
    for index, value in enumerate(values):
        try:
            event = read_run_event(value)
        except Problem as problem:
            if alone:
                raise
            errors.append({"index": index, **problem.errors[0]})
            continue
        if event is not None:
            events.append(event)
    await take_run_events(gateway, caller, events)
    ignored = len(values) - len(events) - len(errors)
    gateway.counters["lineage_ignored"] += ignored
    if errors:
        gateway.counters["lineage_refused"] += len(errors)
        detail = f"{len(errors):,} of {len(values):,} events cannot be used: mend them; the others were taken"
        raise Problem(422, "events-refused", detail, errors=errors[:_ERRORS_TOLD], more={"accepted": len(events)})
    return Response(msgspec.json.encode({"accepted": len(events), "ignored": ignored}), 200, media_type="application/json")
