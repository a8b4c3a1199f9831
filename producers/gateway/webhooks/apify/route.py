"""`POST /webhooks/apify`."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from contract.errors import RuntallyError
from producers.gateway.context import Gateway, gateway_of, unavailable
from producers.gateway.described import answered, problems, ref
from producers.gateway.tracking import track
from producers.gateway.webhooks.apify.payload import ApifyEvent, read_event
from producers.gateway.webhooks.apify.place import Place, place_of
from producers.gateway.webhooks.apify.telling import SOURCE, entries_of, type_of
from producers.gateway.webhooks.apify.usage import added
from producers.gateway.webhooks.client import named_client
from producers.gateway.webhooks.described import webhook
from producers.gateway.webhooks.reading import read_json
from producers.gateway.webhooks.refused import kept_if_refused
from producers.gateway.webhooks.sender import received

router = APIRouter(tags=["webhooks"])


@router.post(
    "/webhooks/apify",
    status_code=202,
    summary="Apify's webhook",
    openapi_extra=webhook(ref("ApifyWebhook")),
    responses={
        **answered(202, "The log has it.", ref("ApifyTaken")),
        **answered(200, "About no run (a test, a build): nothing to count.", ref("ApifyTaken")),
        **problems(400, 401, 403, 408, 413, 415, 422, 429, 503),
    },
)
async def post_apify(request: Request) -> Response:
    """An event of an Apify run, by Apify's default payload template or one of your own.

    Known by Apify's run ID and the event's type: delivered any number of times, in any order and a day late, it counts once.
    """
    gateway = gateway_of(request)
    async with track(gateway, "take_apify") as line:
        told = await _read(gateway, request, line)
        if told is None:
            gateway.counters["webhook_apify_ignored"] += 1
            return Response(b'{"accepted":0}', 200, media_type="application/json")
        event, place = told
        line.update(run_id=place.row_id, client_id=place.client)
        try:
            usage = await added(gateway.store, event, place.row_id, gateway.settings.id_memory_s)
        except RuntallyError as error:
            raise unavailable(error) from error
        await gateway.put(entries_of(event, place, usage))
    gateway.counters["webhook_apify_accepted"] += 1
    answer = {"accepted": 1, "run_id": place.run, "client_id": place.client}
    return Response(msgspec.json.encode(answer), 202, media_type="application/json")


async def _read(gateway: Gateway, request: Request, line: dict[str, Any]) -> tuple[ApifyEvent, Place] | None:
    """The event and where it counts; None for one about no run. Raises Problem; what cannot be used is kept as a dead letter."""
    async with received(gateway, request, SOURCE) as come, kept_if_refused(gateway, SOURCE, come) as origin:
        line["caller"] = come.sender.caller.name
        origin["client"] = named = named_client(request)
        event = read_event(read_json(request.headers, come.body, exact=True))
        if event is None:
            return None
        line |= {"apify_run": event.run, "event_type": type_of(event.kind)}
        origin |= {"client": named or event.client, "apify_run": event.run}
        return event, await place_of(gateway, event, come.sender.caller, named)
