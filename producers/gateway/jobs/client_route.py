"""`/v1/jobs/{run}/clients/{client}`: what a client's run has done, for whoever does not want to write CloudEvents."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from contract.errors import RunIdInvalid
from contract.events import EventType
from contract.run_id import require, with_client
from producers.gateway.access.caller import Caller
from producers.gateway.access.token import Scope
from producers.gateway.described import answered, json_body, problems, ref
from producers.gateway.jobs.asked import ClientMetrics, CompleteClient, read_asked
from producers.gateway.jobs.ending import complete_client
from producers.gateway.jobs.entries import metrics_entry
from producers.gateway.jobs.looking import named_job
from producers.gateway.jobs.route import Key
from producers.gateway.jobs.tracking import tracked
from producers.gateway.members import member_refused
from producers.gateway.problem import Problem

router = APIRouter(tags=["jobs"])
_RESPONSES = {
    **answered(202, "The log has it.", ref("ClientTold")),
    **problems(400, 401, 403, 408, 413, 415, 422, 429, 503),
}


@router.post(
    "/v1/jobs/{run}/clients/{client:path}/metrics",
    status_code=202,
    summary="Count for a client",
    openapi_extra=json_body(ref("ClientMetrics")),
    responses=_RESPONSES,
)
async def count(request: Request, run: str, client: str, idempotency_key: Key = None) -> Response:
    """Observations and totals of a client's run. What adds up needs an `Idempotency-Key`, the same at every repeat: it counts once."""
    async with tracked(request, "count_client", Scope.INGEST, event_type=EventType.METRICS_UPDATED) as (gateway, caller, line):
        job, own = _named(caller, run, client)
        line |= {"run_id": with_client(job, own), "client_id": own}
        asked = await read_asked(gateway.bodies, request, ClientMetrics)
        id = _identity(caller, with_client(job, own), asked, idempotency_key)
        await gateway.put([metrics_entry(job, own, asked, id, datetime.now(UTC))])
    return _told(job, own)


@router.post(
    "/v1/jobs/{run}/clients/{client:path}/complete",
    status_code=202,
    summary="Complete a client's run",
    openapi_extra=json_body(ref("CompleteClient")),
    responses=_RESPONSES,
)
async def complete(request: Request, run: str, client: str) -> Response:
    """Tell how a client's run ended, with its final totals. Sent again it counts once; another outcome corrects the one before."""
    async with tracked(request, "complete_client", Scope.INGEST, event_type=EventType.CLIENT_COMPLETED) as (gateway, caller, line):
        job, own = _named(caller, run, client)
        line |= {"run_id": with_client(job, own), "client_id": own}
        await complete_client(gateway, job, own, await read_asked(gateway.bodies, request, CompleteClient))
    return _told(job, own)


def _named(caller: Caller, run: str, client: str) -> tuple[str, str]:
    """The job's run ID and the client's ID. Raises Problem: 422 for what is none, 403 for what is not the caller's."""
    job = named_job(run)
    try:
        own = require(with_client(job, client)).client
    except RunIdInvalid as error:
        raise member_refused("client", str(error)) from None
    assert own is not None
    caller.require_client(own)
    return job, own


def _identity(caller: Caller, row_id: str, asked: ClientMetrics, key: str | None) -> str:
    if key is not None:
        return sha256(f"{caller.id} {row_id} {key}".encode()).hexdigest()[:40]
    if asked.metrics or asked.skips or asked.notes or asked.error:
        detail = "send an Idempotency-Key, the same at every repeat of this request: what adds up would count again without one"
        raise Problem(422, "key-missing", detail, errors=[{"where": "Idempotency-Key", "reason": detail}])
    return uuid4().hex


def _told(job: str, client: str) -> Response:
    return Response(msgspec.json.encode({"run_id": with_client(job, client)}), 202, media_type="application/json")
