"""Each request about a job: whose it is, and one log line and one count of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from contract.sources import JOBS
from producers.gateway.access.token import Scope
from producers.gateway.context import Gateway, gateway_of
from producers.gateway.problem import Problem

if TYPE_CHECKING:
    from starlette.requests import Request

    from producers.gateway.access.caller import Caller

_log: Any = structlog.get_logger("runtally.gateway.jobs")


class Tracked(NamedTuple):
    """A request whose sender is known. `line`: what else the log line is to say (`run_id`, `client_id`)."""

    gateway: Gateway
    caller: Caller
    line: dict[str, Any]


@asynccontextmanager
async def tracked(request: Request, operation: str, scope: Scope, *, whole: bool = False, **about: Any) -> AsyncIterator[Tracked]:
    """Find out who sent it, and log the request when the block is left: `operation`, `outcome` (accepted, failed, or a refusal's code),
    `duration_ms`, `caller`, `about` and the line. `whole`: it is about jobs as a whole, which no token of some clients may touch.
    What is no reading puts events of source JOBS into the log, which a token of some sources must include.

    Counts `<operation>_accepted`, `_refused` and `_failed`, which is for the gateway's own part. Entering raises Problem."""
    gateway = gateway_of(request)
    caller = await gateway.caller(request)
    began_s = time.monotonic()
    outcome, counted = "failed", "failed"
    try:
        caller.require(scope)
        if scope is not Scope.READ:
            caller.require_source(JOBS)
        if whole:
            caller.require_client(None)
        yield Tracked(gateway, caller, about)
        outcome = counted = "accepted"
    except Problem as problem:
        outcome, counted = problem.code, "refused" if problem.status < 500 else "failed"
        raise
    finally:
        gateway.counters[f"{operation}_{counted}"] += 1
        told = {name: value for name, value in about.items() if value is not None}
        duration_ms = round((time.monotonic() - began_s) * 1000, 1)
        _log.info("job request", operation=operation, outcome=outcome, duration_ms=duration_ms, caller=caller.name, **told)
