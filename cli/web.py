"""`runtally web`: serve the dashboard."""

from __future__ import annotations

from typing import Annotated

import typer


def web(
    host: Annotated[str, typer.Option(help="Address to listen on. Anybody who can reach it can read the pages.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65_535)] = 8080,
) -> None:
    """Serve the dashboard and the health check (/healthz) until Ctrl-C or SIGTERM."""
    import uvicorn

    from contract.settings import load_settings
    from dashboard import create_app

    # Answers under way get a little time; a page that is only being looked at must not hold up the end.
    uvicorn.run(create_app(load_settings()), host=host, port=port, access_log=False, server_header=False, timeout_graceful_shutdown=3)
