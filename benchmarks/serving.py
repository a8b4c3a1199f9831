"""A child that serves HTTP on one core: the gateway, or a bare echo by the same framework and server.

`python -m benchmarks.serving gateway|echo CORE`: writes the port it listens on to stdout as a line, serves until SIGTERM."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress

import uvicorn
from fastapi import FastAPI, Request, Response


def _echo() -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.post("/v1/events", status_code=202)
    async def echo(request: Request) -> Response:
        return Response(await request.body(), 202, media_type="application/json")

    return app


def _gateway() -> FastAPI:
    from cli.web import application

    return application()


def main() -> None:
    """Serve."""
    which, core = sys.argv[1], int(sys.argv[2])
    # Where there is one core only, both sides share it.
    with suppress(OSError):
        os.sched_setaffinity(0, {core})
    config = uvicorn.Config(_echo() if which == "echo" else _gateway(), log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    config.load()
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    # Told when everything is imported: that is no part of what is measured.
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
