"""`runtally web`: serve the gateway and the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send

_GATEWAY = ("/v1/", "/webhooks/", "/api/")


def web(
    host: Annotated[str, typer.Option(help="Address to listen on. Anybody who can reach it can read the pages.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65_535)] = 8080,
) -> None:
    """Serve the gateway (/v1, /webhooks, /api), the dashboard and the health check (/healthz) until Ctrl-C or SIGTERM."""
    import uvicorn

    from cli.bounded_http import BoundedHttp
    from contract.logs import configure_logs
    from contract.settings import load_settings

    configure_logs(load_settings())
    # Answers under way get a little time; a page that is only being looked at must not hold up the end.
    uvicorn.run(
        application(),
        host=host,
        port=port,
        http=BoundedHttp,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )


def application() -> FastAPI:
    """The whole of it as one ASGI application, by the environment's settings: `uvicorn --factory cli.web:application`."""
    from contract.settings import load_settings
    from dashboard import StoredJobs, create_app
    from producers.gateway import create_gateway

    settings = load_settings()
    gateway = create_gateway(settings, StoredJobs(settings))
    dashboard, not_found = create_app(settings), gateway.router.default

    async def otherwise(scope: Scope, receive: Receive, send: Send) -> None:
        await (not_found if scope["path"].startswith(_GATEWAY) else dashboard)(scope, receive, send)

    # Not a mount: that would take a gateway's path with a wrong method, or a misspelt one, for a page.
    gateway.router.default = otherwise
    return gateway
