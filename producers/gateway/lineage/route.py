"""`POST /api/v1/lineage` and `/api/v1/lineage/batch`: where OpenLineage's clients send to (openlineage.io/apidocs/openapi)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from contract.run_id import with_client
from contract.shown import shown
from producers.gateway.access.caller import Caller
from producers.gateway.access.token import Scope
from producers.gateway.context import Gateway, gateway_of
from producers.gateway.described import answered, json_body, problems, ref
from producers.gateway.lineage.place import Place
from producers.gateway.lineage.run_event import RunEvent, read_run_event
from producers.gateway.lineage.taking import take_run_events
from producers.gateway.members import json_value
from producers.gateway.problem import Problem
from producers.gateway.tracking import track

router = APIRouter(tags=["lineage"])
Named = TypeVar("Named")
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
    async with track(gateway, "take_lineage", caller=caller.name) as line:
        caller.require(Scope.INGEST)
        return await _take(gateway, caller, [await _body(gateway, request)], line, alone=True)


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
    async with track(gateway, "take_lineage", caller=caller.name) as line:
        caller.require(Scope.INGEST)
        values = await _body(gateway, request)
        if not isinstance(values, list):
            raise Problem(422, "no-batch", "a batch is a JSON array of events")
        most = gateway.settings.gateway_batch_events
        if len(values) > most:
            raise Problem(413, "batch-too-large", f"a request may carry {most:,} events, this one has {len(values):,}: split it")
        return await _take(gateway, caller, values, line, alone=False)


async def _body(gateway: Gateway, request: Request) -> Any:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise Problem(415, "content-type-unknown", f"content type {shown(media)}: send application/json")
    async with gateway.bodies.read(request, gzip=True) as body:
        return json_value(body)


async def _take(gateway: Gateway, caller: Caller, values: Sequence[Any], line: dict[str, Any], *, alone: bool) -> Response:
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
    ignored = len(values) - len(events) - len(errors)
    line.update(events=len(events), ignored=ignored, event_type=_only({str(event.transition) for event in events}))
    line.update(_about(await take_run_events(gateway, caller, events)))
    gateway.counters["lineage_ignored"] += ignored
    if errors:
        gateway.counters["lineage_refused"] += len(errors)
        detail = f"{len(errors):,} of {len(values):,} events cannot be used: mend them; the others were taken"
        raise Problem(422, "events-refused", detail, errors=errors[:_ERRORS_TOLD], more={"accepted": len(events)})
    return Response(msgspec.json.encode({"accepted": len(events), "ignored": ignored}), 200, media_type="application/json")


def _about(places: Collection[Place]) -> dict[str, str | None]:
    """The run and the client that a request is about, where there is but one."""
    run, client = _only({place.run for place in places}), _only({place.client for place in places})
    return {"run_id": run if run is None or client is None else with_client(run, client), "client_id": None if run is None else client}


def _only(values: Collection[Named]) -> Named | None:
    return next(iter(values)) if len(values) == 1 else None
