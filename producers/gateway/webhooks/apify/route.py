"""`POST /webhooks/apify`."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from contract.errors import RuntallyError
from producers.gateway.context import gateway_of, unavailable
from producers.gateway.described import answered, problems, ref
from producers.gateway.webhooks.apify.payload import read_event
from producers.gateway.webhooks.apify.place import place_of
from producers.gateway.webhooks.apify.telling import SOURCE, told
from producers.gateway.webhooks.apify.usage import added
from producers.gateway.webhooks.client import named_client
from producers.gateway.webhooks.described import webhook
from producers.gateway.webhooks.reading import read_json
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
    async with received(gateway, request, SOURCE) as come:
        event = read_event(read_json(request.headers, come.body, exact=True))
    if event is None:
        gateway.counters["webhook_apify_ignored"] += 1
        return Response(b'{"accepted":0}', 200, media_type="application/json")
    place = await place_of(gateway, event, come.sender.caller, named_client(request))
    try:
        usage = await added(gateway.store, event, place.row_id, gateway.settings.id_memory_s)
    except RuntallyError as error:
        raise unavailable(error) from error
    await gateway.put(told(event, place, usage))
    gateway.counters["webhook_apify_accepted"] += 1
    answer = {"accepted": 1, "run_id": place.run, "client_id": place.client}
    return Response(msgspec.json.encode(answer), 202, media_type="application/json")
