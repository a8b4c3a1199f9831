"""What makes an event the same as another one is its source, ID and subject: one tenant's events never hide another's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest

from contract.settings import Settings
from contract.sources import RESERVED
from tests.conftest import SettingsMaker
from tests.server.gateway.conftest import ServedGateway
from tests.server.gateway.signing import EVERY_SHARED, SECRETS
from tests.server.gateway.test_webhook_apify import payload

RUN = "250930-141522"
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
Folded = Callable[[str], dict[str, Any] | None]


@pytest.fixture
def settings(make_settings: SettingsMaker, redis_url: str) -> Settings:
    return make_settings(redis_url=redis_url, webhook_secrets=SECRETS)


def event(client: str | None, *, id: str = "1", source: str = "/nightly", leads: int = 1) -> dict[str, Any]:
    subject = RUN if client is None else f"{RUN}-{client}"
    kind, data = ("job.started", {}) if client is None else ("client.metrics.updated", {"metrics": {"leads_processed": leads}})
    return {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": kind,
        "subject": subject,
        "time": "2025-09-30T14:15:22Z",
        "data": data,
    }


def headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} | BATCH


def leads_of(job: dict[str, Any] | None) -> dict[str, int]:
    assert job is not None
    return {row["client_id"]: row["metrics"].get("Leads Processed", 0) for row in job["clients"]}


def test_two_clients_events_with_one_source_and_id_both_count(served: ServedGateway, new_token: Callable[..., str], folded: Folded) -> None:
    for client, leads in (("acme", 1), ("beta", 1_000), ("acme", 1)):
        token = new_token("ingest", clients=[client])
        answer = httpx.post(f"{served.url}/v1/events", json=[event(client, leads=leads)], headers=headers(token))
        assert answer.status_code == 202

    assert leads_of(folded(RUN)) == {"acme": 1, "beta": 1_000}


@pytest.mark.parametrize("source", [*RESERVED, *(f"{own}/below" for own in RESERVED)])
@pytest.mark.parametrize("media", ["application/cloudevents-batch+json", "application/json"])
def test_nobody_speaks_as_runtally_itself(http: httpx.Client, folded: Folded, source: str, media: str) -> None:
    for sent in ([event("a", source=source)], [event("a"), event("a", id="2", source=source)]):
        answer = http.post("/v1/events", json=sent, headers={"Content-Type": media})

        assert (answer.status_code, answer.json()["code"]) == (403, "source-reserved")
    assert folded(RUN) is None


def test_a_source_that_only_begins_like_runtallys_is_anybodys(http: httpx.Client, folded: Folded) -> None:
    for own in RESERVED:
        assert http.post("/v1/events", json=[event("a", source=f"{own}-of-mine")], headers=BATCH).status_code == 202

    assert leads_of(folded(RUN)) == {"a": len(RESERVED)}


def test_one_apify_run_that_two_clients_are_told_of_counts_for_both(served: ServedGateway, folded: Folded) -> None:
    runs = set()
    for client, posts in (("acme", 3), ("beta", 4), ("acme", 3)):
        sent = payload(day=4, client_id=client, posts_harvested=posts)
        answer = httpx.post(f"{served.url}/webhooks/apify", json=sent, headers={"X-Webhook-Secret": EVERY_SHARED}, timeout=20)
        assert answer.status_code == 202
        runs.add(answer.json()["run_id"])

    (run,) = runs
    job = folded(run)
    assert job is not None
    assert {row["client_id"]: row["metrics"]["Total Posts Harvested"] for row in job["clients"]} == {"acme": 3, "beta": 4}
    assert (job["status"], job["metrics"]["Total Posts Harvested"]) == ("Completed", 7)
