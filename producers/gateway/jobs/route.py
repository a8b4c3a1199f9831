"""`/v1/jobs`: start a job, look at it, complete it."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from contract.events import EventType
from producers.gateway.access.token import Scope
from producers.gateway.described import SECURITY, answered, json_body, problems, ref
from producers.gateway.handlers import job_handler_of
from producers.gateway.jobs.asked import CompleteJob, StartJob, read_asked
from producers.gateway.jobs.ending import beat, complete_job
from producers.gateway.jobs.looking import named_job, named_run, read_job, read_latest
from producers.gateway.jobs.starting import start_job
from producers.gateway.jobs.tracking import tracked

router = APIRouter(tags=["jobs"])
_LOCKS = {True: "held", False: "lost", None: "none"}
_MOST = 1_000
_RUN: dict[str, Any] = {"type": "object", "required": ["run_id"], "properties": {"run_id": {"type": "string"}}}
_JOBS: dict[str, Any] = {"jobs": {"type": "array", "items": ref("JobRow")}}
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]


@router.post(
    "/v1/jobs",
    status_code=202,
    summary="Start a job",
    openapi_extra=json_body(ref("StartJob")),
    responses={
        **answered(202, "The log has its start; `Location` says where to look.", ref("Started")),
        **problems(400, 401, 403, 408, 409, 413, 415, 422, 429, 503),
    },
)
async def start(request: Request, idempotency_key: Key = None) -> Response:
    """202 with the run ID once the log has the start. The same `Idempotency-Key` gets the same run, however often it is sent.

    409 while the same job is running: its holder's `run_id` and `age_s` are told. `exclusive: false` starts it all the same.
    """
    async with tracked(request, "start_job", Scope.OPERATE, whole=True, event_type=EventType.JOB_STARTED) as (gateway, caller, line):
        asked = await read_asked(gateway.bodies, request, StartJob)
        line |= {"job_type": asked.job_type, "client_id": asked.client_id}
        begun = await start_job(gateway, caller, asked, idempotency_key)
        line |= {"run_id": begun.run, "repeated": begun.repeated or None}
        handler = job_handler_of(asked.job_type.strip())
        if handler is not None and not begun.repeated:
            gateway.job_work.begin(handler, begun.run, asked)
    told = {"run_id": begun.run, "fence": begun.fence, "repeated": begun.repeated}
    return _json(told, 202, {"Location": f"/v1/jobs/{quote(begun.run)}"})


@router.get(
    "/v1/jobs",
    summary="The latest jobs",
    openapi_extra={"security": SECURITY},
    responses={
        **answered(200, "Newest first, without their clients.", {"type": "object", "required": ["jobs"], "properties": _JOBS}),
        **problems(401, 403, 422, 429, 503),
    },
)
async def latest(
    request: Request,
    status: Annotated[list[str] | None, Query(max_length=20, description="Only jobs of this status; may be given again.")] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST, description="How many at most.")] = 20,
) -> Response:
    """The jobs with the latest events, newest first. Not for tokens that are limited to clients: jobs belong to no one client."""
    async with tracked(request, "list_jobs", Scope.READ, whole=True) as (gateway, _, _):
        jobs = await read_latest(gateway, limit, status or ())
    return _json({"jobs": jobs})


@router.get(
    "/v1/jobs/{run}",
    summary="One job",
    openapi_extra={"security": SECURITY},
    responses={
        **answered(200, "The job, with its clients.", ref("Job")),
        **problems(401, 403, 404, 422, 429, 503),
    },
)
async def job(request: Request, run: str) -> Response:
    """The job with its client runs, by a run ID in any known format; with a client's run ID, that client alone.

    A token that is limited to clients gets their runs and nothing that is made from others'.
    """
    async with tracked(request, "read_job", Scope.READ) as (gateway, caller, line):
        wanted = named_run(run)
        line |= {"run_id": wanted.standard, "client_id": wanted.client}
        told = await read_job(gateway, caller, wanted)
    return _json(told)


@router.post(
    "/v1/jobs/{run}/complete",
    status_code=202,
    summary="Complete a job",
    openapi_extra=json_body(ref("CompleteJob")),
    responses={
        **answered(202, "The log has its end, and its lock is released.", _RUN),
        **problems(400, 401, 403, 408, 413, 415, 422, 429, 503),
    },
)
async def complete(request: Request, run: str) -> Response:
    """Tell how it ended. Sent again it counts once; another outcome corrects the one before."""
    async with tracked(request, "complete_job", Scope.OPERATE, whole=True, event_type=EventType.JOB_COMPLETED) as (gateway, _, line):
        wanted = line["run_id"] = named_job(run)
        await complete_job(gateway, wanted, await read_asked(gateway.bodies, request, CompleteJob))
    return _json({"run_id": wanted}, 202)


@router.post(
    "/v1/jobs/{run}/heartbeat",
    status_code=202,
    summary="Tell that a job is alive",
    openapi_extra={"security": SECURITY},
    responses={**answered(202, "The log has it.", ref("Alive")), **problems(401, 403, 422, 429, 503)},
)
async def heartbeat(request: Request, run: str) -> Response:
    """Keeps the job from being closed as silent, and its lock from ending. `lock` is `lost` when another may have started it too."""
    async with tracked(request, "beat_job", Scope.OPERATE, whole=True, event_type=EventType.JOB_HEARTBEAT) as (gateway, _, line):
        wanted = line["run_id"] = named_job(run)
        line["lock"] = _LOCKS[await beat(gateway, wanted)]
    return _json({"run_id": wanted, "lock": line["lock"]}, 202)


def _json(value: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, "application/json")
