"""What the bodies of job requests may say, and reading one. Unknown members are ignored; a wrong type is refused by name."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from starlette.requests import Request

from contract.shown import shown
from producers.gateway.context import Gateway
from producers.gateway.problem import Problem
from producers.gateway.strict_json import JsonRefused, strict_json

_Text = Annotated[str, Meta(max_length=10_000)]
_Name = Annotated[str, Meta(min_length=1, max_length=200)]
_Stream = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Metrics = dict[str, Any]


class StartJob(msgspec.Struct):
    """A job to start. `run_id` continues a run, or names it; without one it is made. `client_id`: the one client it works for."""

    job_type: _Name
    stream: _Stream | None = None
    client_id: str | None = None
    client_name: _Name | None = None
    run_id: str | None = None
    exclusive: bool = True
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
_where = re.compile(r"^(?P<reason>.*?)(?: - at `\$\.?(?P<where>[^`]*)`)?$", re.DOTALL).fullmatch
_missing = re.compile(r"`(\w+)`$").search


async def read_asked(gateway: Gateway, request: Request, kind: type[Asked]) -> Asked:
    """The body as `kind`. Raises Problem: 415 for what is not sent as JSON, 422 naming what is wrong in it."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise Problem(415, "content-type-unknown", f"content type {shown(media)}: send application/json")
    async with gateway.bodies.read(request) as body:
        try:
            value = strict_json(body)
            msgspec.json.encode(value)
        except JsonRefused as error:
            raise Problem(422, "json-refused", str(error)) from None
        except (UnicodeEncodeError, RecursionError):
            raise Problem(422, "json-refused", "a text holds half of a surrogate pair, or the body is nested too deeply") from None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from None


def field_refused(where: str, reason: str) -> Problem:
    """The refusal of one member of a body."""
    return Problem(422, "field-refused", f"{where}: {reason}", errors=[{"where": where, "reason": reason}])


def _refused(text: str) -> Problem:
    found = _where(text)
    assert found is not None
    reason, where = found["reason"], found["where"] or ""
    missing = _missing(reason) if reason.startswith("Object missing") else None
    if missing is not None:
        where = f"{where}.{missing[1]}".lstrip(".")
    return field_refused(where or "the body", reason)
