"""Each webhook and lineage request is a log line and a count; all gateways' counts are added up where people see them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest
import structlog
from fastapi.testclient import TestClient

from contract import keys
from contract.link import Link
from contract.settings import Settings
from dashboard import create_app
from embedded import EmbeddedValkey
from tests.conftest import SettingsMaker
from tests.server.gateway.conftest import DEADLINE_S, ServedGateway
from tests.server.gateway.signing import ACME_SHARED, EVERY_SHARED, SECRETS
from tests.server.gateway.test_webhook_apify import payload

SECRET = {"X-Webhook-Secret": ACME_SHARED}


@pytest.fixture
def settings(make_settings: SettingsMaker, redis_url: str) -> Settings:
    return make_settings(redis_url=redis_url, webhook_secrets=SECRETS)


def lines_of(operation: str, lines: list[Any]) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == "request" and line["operation"] == operation]


def test_each_webhook_is_a_line_and_a_count(served: ServedGateway) -> None:
    with structlog.testing.capture_logs() as lines:
        run = httpx.post(f"{served.url}/webhooks/leads", json=[{}, {}], headers=SECRET).json()["run_id"]
        httpx.post(f"{served.url}/webhooks/leads", json=7, headers=SECRET)
        httpx.post(f"{served.url}/webhooks/profiles", json={}, headers={"X-Webhook-Secret": "wrong"})
        sent = payload("FAILED", run_id="250930-141522")
        httpx.post(f"{served.url}/webhooks/apify?client=b", json=sent, headers={"X-Webhook-Secret": EVERY_SHARED})

    taken, refused = lines_of("take_leads", lines)
    about = {"outcome": "accepted", "caller": "webhook:acme", "client_id": "acme", "run_id": f"{run}-acme", "received": 2, "failed": 0}
    assert {name: taken[name] for name in about} == about
    assert (taken["event_type"], taken["duration_ms"] >= 0) == ("client.run.completed", True)
    assert (refused["outcome"], refused["client_id"]) == ("items-refused", "acme")
    (stranger,) = lines_of("take_profiles", lines)
    assert stranger["outcome"] == "secret-wrong"
    (apify,) = lines_of("take_apify", lines)
    assert (apify["outcome"], apify["run_id"], apify["client_id"], apify["event_type"]) == (
        "accepted",
        "250930-141522-b",
        "b",
        "client.run.completed",
    )
    assert ACME_SHARED not in repr(lines)
    counters = served.counters
    assert [counters[f"take_{name}"] for name in ("leads_accepted", "leads_refused", "profiles_refused", "apify_accepted")] == [1] * 4


def test_each_lineage_request_is_a_line_and_a_count(served: ServedGateway, http: httpx.Client) -> None:
    parent = {"run": {"runId": "dag"}, "job": {"namespace": "ns", "name": "nightly"}}
    start = {
        "eventType": "START",
        "eventTime": "2025-09-30T14:15:22Z",
        "run": {"runId": "r1", "facets": {"parent": parent}},
        "job": {"namespace": "ns", "name": "load"},
    }
    with structlog.testing.capture_logs() as lines:
        http.post("/api/v1/lineage", json=start)
        other = start | {
            "eventType": "COMPLETE",
            "run": {"runId": "r2", "facets": {"parent": parent}},
            "job": {"namespace": "ns", "name": "x"},
        }
        http.post("/api/v1/lineage/batch", json=[start, other, {"dataset": {}}])
        http.post("/api/v1/lineage", json={})

    one, many, refused = lines_of("take_lineage", lines)
    run = many["run_id"]
    assert (one["outcome"], one["run_id"], one["client_id"], one["event_type"]) == ("accepted", f"{run}-load", "load", "START")
    assert (many["events"], many["ignored"], "client_id" in many, "event_type" in many) == (2, 1, False, False)
    assert (refused["outcome"], refused["caller"]) == ("field-refused", "test")
    assert (served.counters["take_lineage_accepted"], served.counters["take_lineage_refused"]) == (2, 1)


def test_a_flood_is_counted_and_not_logged(make_settings: SettingsMaker, redis_url: str) -> None:
    settings = make_settings(redis_url=redis_url, webhook_secrets=SECRETS, gateway_requests_per_s=0.001)
    with ServedGateway(settings) as served, structlog.testing.capture_logs() as lines:
        for _ in range(5):
            httpx.post(f"{served.url}/webhooks/leads", json={}, headers=SECRET)
        assert (served.counters["refused_too-many-requests"], served.counters["take_leads_refused"]) == (4, 4)
    assert [line["outcome"] for line in lines_of("take_leads", lines)] == ["accepted"]


def test_the_counts_of_all_gateways_are_added_up_and_shown(served: ServedGateway, settings: Settings) -> None:
    with ServedGateway(settings) as other:
        for gateway in (served, other, other):
            assert httpx.post(f"{gateway.url}/webhooks/leads", json={}, headers={"X-Webhook-Secret": "wrong"}).status_code == 401
    with TestClient(create_app(settings)) as client:
        deadline = time.monotonic() + DEADLINE_S
        while (told := client.get("/healthz").json()["gateway"]) != {"refused_secret-wrong": 3, "take_leads_refused": 3}:
            assert time.monotonic() < deadline, told
            time.sleep(0.05)
        assert "Requests refused by them</dt><dd>3</dd>" in client.get("/").text


def test_while_redis_is_away_counts_wait(durable_valkey: EmbeddedValkey, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(redis_url=durable_valkey.url, webhook_secrets=SECRETS)
    with ServedGateway(settings) as served:
        assert httpx.post(f"{served.url}/webhooks/leads", json={}, headers=SECRET, timeout=20).status_code == 202
        durable_valkey.kill()
        for _ in range(2):
            assert httpx.post(f"{served.url}/webhooks/leads", json={"n": 1}, headers=SECRET, timeout=20).status_code == 503
        durable_valkey.restart()
    link = Link(durable_valkey.url, name="test")
    link.open()
    assert int(link.call("HGET", keys.GATEWAY_COUNTERS, "refused_store-away")) == 2
    assert int(link.call("HGET", keys.GATEWAY_COUNTERS, "take_leads_failed")) == 2
    link.close()
