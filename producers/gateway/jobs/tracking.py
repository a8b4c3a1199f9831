"""Each request about a job: whose it is, and its tracking."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from contract.sources import JOBS
from producers.gateway.access.token import Scope
from producers.gateway.context import Gateway, gateway_of
from producers.gateway.tracking import track

if TYPE_CHECKING:
    from starlette.requests import Request

    from producers.gateway.access.caller import Caller


class Tracked(NamedTuple):
    """A request whose sender is known. `line`: what else the log line is to say (`run_id`, `client_id`)."""

    gateway: Gateway
    caller: Caller
    line: dict[str, Any]


@asynccontextmanager
async def tracked(request: Request, operation: str, scope: Scope, *, whole: bool = False, **about: Any) -> AsyncIterator[Tracked]:
    """Find out who sent it, and `track` it from then on. `whole`: it is about jobs as a whole, which no token of some clients may touch.
    What is no reading puts events of source JOBS into the log, which a token of some sources must include.

    Entering raises Problem."""
    gateway = gateway_of(request)
    caller = await gateway.caller(request)
    async with track(gateway, operation, caller=caller.name, **about) as line:
        caller.require(scope)
        if scope is not Scope.READ:
            caller.require_source(JOBS)
        if whole:
            caller.require_client(None)
        yield Tracked(gateway, caller, line)
