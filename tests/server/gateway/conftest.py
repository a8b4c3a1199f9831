"""A gateway of one's own: real uvicorn in a thread, a real Valkey behind it, a worker's fold at hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest
import uvicorn

from cli.bounded_http import BoundedHttp
from contract.link import Link
from contract.settings import Settings
from dashboard import StoredJobs
from producers.gateway import create_gateway
from producers.gateway.access import shelf
from producers.gateway.access.token import Scope, make_token

DEADLINE_S = 20.0


class ServedGateway:
    """A gateway on a free port of the loopback address. `url` without a slash at the end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.app = create_gateway(settings, StoredJobs(settings))
        self._server = uvicorn.Server(
            uvicorn.Config(
                self.app,
                host="127.0.0.1",
                port=0,
                http=BoundedHttp,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self.url = ""

    def __enter__(self) -> ServedGateway:
        self._thread.start()
        deadline = time.monotonic() + DEADLINE_S
        while not self._server.started:
            assert time.monotonic() < deadline, "the gateway did not start"
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), "the gateway did not end"

    @property
    def counters(self) -> dict[str, int]:
        return dict(self.app.state.gateway.counters)


@pytest.fixture
def served(settings: Settings) -> Iterator[ServedGateway]:
    with ServedGateway(settings) as gateway:
        yield gateway


@pytest.fixture
def new_token(settings: Settings) -> Callable[..., str]:
    """`new_token("ingest", clients=[…], sources=[…])` -> the text of a token that is good from now on."""

    def make(*scopes: str, clients: list[str] | None = None, sources: list[str] | None = None, expires_ms: int | None = None) -> str:
        made = make_token(
            "test",
            [Scope(scope) for scope in scopes],
            clients=clients or [],
            sources=sources or [],
            created_ms=time.time_ns() // 1_000_000,
            expires_ms=expires_ms,
        )
        link = Link(settings.redis_url.get_secret_value(), name="test")
        link.open()
        try:
            shelf.add(link, made.token)
        finally:
            link.close()
        return made.text

    return make


@pytest.fixture
def token(new_token: Callable[..., str]) -> str:
    """A token that may do everything."""
    return new_token("ingest", "read", "operate")


@pytest.fixture
def http(served: ServedGateway, token: str) -> Iterator[httpx.Client]:
    """A client with that token: `http.post("/v1/events", json=…)`."""
    with httpx.Client(base_url=served.url, headers={"Authorization": f"Bearer {token}"}, timeout=DEADLINE_S) as client:
        yield client


@pytest.fixture
def folded(settings: Settings) -> Callable[[str], dict[str, Any] | None]:
    """`folded(run)`: fold what the log has, then the job with its clients as the gateway would answer it."""
    from tests.server.folding import fold_everything

    def look(run: str) -> dict[str, Any] | None:
        fold_everything(settings)
        jobs = StoredJobs(settings)
        try:
            return jobs.job(run)
        finally:
            jobs.close()

    return look
