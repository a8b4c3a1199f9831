"""The web application: the health check for machines, the health page for people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from contract.settings import Settings
from contract.version import __version__
from dashboard.health import HealthReader
from dashboard.health_page import health_page

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


def create_app(settings: Settings) -> FastAPI:
    """The application. Connects to Redis with the first request, so it starts, and says what is wrong, without one."""
    health = HealthReader(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        health.close()

    app = FastAPI(title="Runtally", version=__version__, docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")

    @app.middleware("http")
    async def protect(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.update(_HEADERS)
        if not request.url.path.startswith("/static/"):
            response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/healthz")
    def healthz() -> JSONResponse:
        """200 while this service can do its work, else 503; either way with what is known."""
        found = health.read()
        return JSONResponse({**asdict(found), "version": __version__}, status_code=200 if found.ok else 503)

    @app.get("/")
    def page(refresh: str = "") -> HTMLResponse:
        found = health.read()
        return HTMLResponse(health_page(found, refresh=refresh != "0"), status_code=200 if found.ok else 503)

    return app
