"""The application: its routes, and how each kind of failure is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from contract.registry import load_registry
from contract.version import __version__
from producers.gateway.context import Gateway
from producers.gateway.events import route as events
from producers.gateway.handlers import load_handlers
from producers.gateway.jobs import client_route as client_routes
from producers.gateway.jobs import route as job_routes
from producers.gateway.lineage import route as lineage_routes
from producers.gateway.lineage.mapping import load_mapping
from producers.gateway.openapi import describe
from producers.gateway.problem import Problem
from producers.gateway.webhooks import route as webhooks
from producers.gateway.webhooks.apify import route as apify

if TYPE_CHECKING:
    from contract.settings import Settings
    from producers.gateway.jobs.reading import JobReader

ROUTERS = (events.router, job_routes.router, client_routes.router, webhooks.router, apify.router, lineage_routes.router)
_CODES = {404: "no-such-path", 405: "method-not-allowed"}
_log: Any = structlog.get_logger("runtally.gateway")


def create_gateway(settings: Settings, jobs: JobReader) -> FastAPI:
    """The application. Connects to Redis with the first request, so it starts, and says what is wrong, without one.

    Raises SettingsInvalid for handlers that cannot be imported, and for a metrics file or lineage file that cannot be used."""
    load_handlers(settings.handlers)
    lineage = load_mapping(settings.lineage_file, load_registry(settings.metrics_file))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        gateway = Gateway(settings, jobs, lineage)
        app.state.gateway = gateway
        gateway.start()
        try:
            yield
        finally:
            await gateway.close()

    app = FastAPI(title="Runtally gateway", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    for router in ROUTERS:
        # Not included but taken over: an included router is searched anew for each request, which costs a tenth of it.
        app.router.routes.extend(router.routes)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)
    describe(app)
    return app


def _answer(request: Request, problem: Problem) -> Response:
    gateway: Gateway = request.app.state.gateway
    gateway.counters[f"refused_{problem.code}"] += 1
    if problem.status != 429:
        _log.info("refused", path=request.url.path, status=problem.status, code=problem.code, detail=problem.detail[:500])
    return problem.response()


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answer(request, error)


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _answer(request, Problem(error.status_code, _CODES.get(error.status_code, "refused"), str(error.detail)))
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(_allowed(request))
    return response


def _allowed(request: Request) -> list[str]:
    """The methods of a path (RFC 9110, 15.5.6), of all its routes: Starlette names those of the first."""
    routes = [route for route in request.app.routes if isinstance(route, APIRoute) and route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in routes for method in route.methods or ()})


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [{"where": ".".join(str(part) for part in fault["loc"]), "reason": fault["msg"]} for fault in error.errors()]
    return _answer(request, Problem(422, "invalid", "; ".join(f"{fault['where']}: {fault['reason']}" for fault in faults), errors=faults))


async def _unexpected(request: Request, error: Exception) -> Response:
    _log.error("unexpected failure", path=request.url.path, exc_info=error)
    return _answer(request, Problem(500, "unexpected", "the gateway failed; its log says why"))
