"""What the bodies of job requests may say, and reading one. Unknown members are ignored; a wrong type is refused by name."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from starlette.requests import Request

from contract.shown import shown
from producers.gateway.body import BodyReader
from producers.gateway.members import converted, json_value
from producers.gateway.problem import Problem

_Text = Annotated[str, Meta(max_length=10_000)]
_Name = Annotated[str, Meta(min_length=1, max_length=200)]
_Stream = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Metrics = dict[str, Any]


class StartJob(msgspec.Struct):
    """A job to start. `run_id` continues a run, or names it; without one it is made. `client_id`: the one client it works for.
    `parameters`: for the function that does the job, if the gateway has one."""

    job_type: _Name
    stream: _Stream | None = None
    client_id: str | None = None
    client_name: _Name | None = None
    run_id: str | None = None
    exclusive: bool = True
    parameters: dict[str, Any] = {}
    notes: _Text | None = None


class CompleteJob(msgspec.Struct):
    """How a job ended. `status`, a word of the four statuses' table, wins over `success`; one of them is needed."""

    success: bool | None = None
    status: str | None = None
    notes: _Text | None = None


class CompleteClient(msgspec.Struct):
    """How a client's run ended. `totals` are final: each replaces what was counted so far."""

    success: bool | None = None
    status: str | None = None
    totals: Metrics = {}
    notes: _Text | None = None
    error: _Text | None = None


class ClientMetrics(msgspec.Struct):
    """What a client's run has done: observations (`metrics`, which add up), totals so far (which replace), skips by reason code."""

    metrics: Metrics = {}
    totals: Metrics = {}
    skips: Metrics = {}
    client_name: _Name | None = None
    notes: _Text | None = None
    error: _Text | None = None


Asked = TypeVar("Asked", StartJob, CompleteJob, CompleteClient, ClientMetrics)


async def read_asked(bodies: BodyReader, request: Request, kind: type[Asked]) -> Asked:
    """The body as `kind`. Raises Problem: 415 for what is not sent as JSON, 422 naming what is wrong in it."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise Problem(415, "content-type-unknown", f"content type {shown(media)}: send application/json")
    async with bodies.read(request) as body:
        return converted(json_value(body), kind)
