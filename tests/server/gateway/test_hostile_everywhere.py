"""Every route that takes a body tells what is wrong with one that is no JSON, and serves the next request."""

from __future__ import annotations

import httpx2 as httpx
import pytest

from producers.gateway.contracts import openapi
from tests.server.gateway.hostile import EVENT, NO_JSON
from tests.server.gateway.test_hostile import is_refused

ROUTES = sorted(
    path.replace("{run}", "250930-141522").replace("{client}", "Jane-Doe")
    for path, operations in openapi()["paths"].items()
    if "post" in operations and "requestBody" in operations["post"] and path != "/v1/events"
)


HEADERS = {"Content-Type": "application/json", "X-Webhook-Client": "acme"}


def test_the_routes_are_known() -> None:
    assert len(ROUTES) >= 7
    assert not any("{" in route for route in ROUTES)


@pytest.mark.parametrize("route", ROUTES)
def test_hostile_bodies(route: str, http: httpx.Client) -> None:
    for hostile in NO_JSON:
        is_refused(http.post(route, content=hostile.body, headers=HEADERS), hostile)
        assert http.post("/v1/events", json=EVENT).status_code == 202
