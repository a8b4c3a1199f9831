"""`POST /webhooks/apify`: any number of deliveries, in any order and a day late, are counted once, and the last event in time decides."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from itertools import permutations
from typing import Any

import httpx2 as httpx
import pytest

from contract.link import Link
from contract.settings import Settings
from contract.status import Status
from tests.conftest import SettingsMaker
from tests.server.counted_runs import only_run, runs
from tests.server.gateway.conftest import ServedGateway
from tests.server.gateway.signing import ACME_SHARED, EVERY_SHARED, SECRETS
from worker.rows import text

SEED = 11
APIFY = "aB3dE5fG7hJ9kL1mN"
STATUS = {"CREATED": "READY", "TIMED_OUT": "TIMED-OUT", "RESURRECTED": "RUNNING"}


@pytest.fixture
def settings(make_settings: SettingsMaker, redis_url: str) -> Settings:
    return make_settings(redis_url=redis_url, webhook_secrets=SECRETS)


def payload(kind: str = "SUCCEEDED", minute: int = 30, apify: str = APIFY, day: int = 30, **more: Any) -> dict[str, Any]:
    """By Apify's default template, with variables of one's own. The run started at 14:15:22; the event came `minute`s past 14 h.

    A process hands out no run ID twice: a test that expects one needs a `day` of its own."""
    at = f"2025-09-{day:02d}T14:{minute:02d}:00.500Z"
    resource = {
        "id": apify,
        "actId": "actor",
        "userId": "user",
        "startedAt": f"2025-09-{day:02d}T14:15:22.123Z",
        "finishedAt": None if kind in ("CREATED", "RESURRECTED") else at,
        "status": STATUS.get(kind, kind),
        "stats": {"inputBodyLen": 24, "computeUnits": 0.1},
        "defaultDatasetId": "dataset",
    }
    return {
        "userId": "user",
        "createdAt": at,
        "eventType": f"ACTOR.RUN.{kind}",
        "eventData": {"actorId": "actor", "actorTaskId": None, "actorRunId": apify},
        "resource": resource | more.pop("resource", {}),
    } | more


def post(served: ServedGateway, sent: dict[str, Any], query: str = "", secret: str = ACME_SHARED) -> httpx.Response:
    return httpx.post(f"{served.url}/webhooks/apify{query}", json=sent, headers={"X-Webhook-Secret": secret}, timeout=20)


def test_a_run_from_its_start_to_its_end(served: ServedGateway, settings: Settings) -> None:
    created = post(served, payload("CREATED", 16, day=1))
    job, (client,) = only_run(settings)
    assert (created.status_code, created.json()) == (202, {"accepted": 1, "run_id": "250901-141522", "client_id": "acme"})
    assert (job.run, job.job_type, job.status, client.status) == ("250901-141522", "apify", Status.RUNNING, Status.RUNNING)
    assert client.metrics["Apify Status"] == "READY"

    post(served, payload("SUCCEEDED", 30, day=1, posts_harvested="1,234", cost="0.30", resource={"usageTotalUsd": 0.25}))
    job, (client,) = only_run(settings)
    assert (job.status, client.status) == (Status.COMPLETED, Status.COMPLETED)
    assert client.metrics == {
        "Apify Run ID": APIFY,
        "Apify Status": "SUCCEEDED",
        "Total Posts Harvested": 1234,
        "Apify API Costs": Decimal("0.30"),
    }
    assert (job.metrics["Total Posts Harvested"], job.metrics["Apify API Costs"]) == (1234, Decimal("0.30"))
    assert (str(job.start), str(job.end)) == ("2025-09-01 14:15:22.123000+00:00", "2025-09-01 14:30:00.500000+00:00")
    assert (job.notes, client.notes) == ([], [])


def test_hundreds_of_deliveries_shuffled_and_repeated_are_exact(served: ServedGateway, settings: Settings) -> None:
    runs_of = {f"{number:017d}": ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")[number % 4] for number in range(8)}
    sent = [
        payload(kind, 15 if kind == "CREATED" else 40, apify, posts_harvested=7, resource={"usageTotalUsd": 0.1})
        for apify, ended in runs_of.items()
        for kind in ("CREATED", ended)
        for _ in range(11)
    ]
    random.Random(SEED).shuffle(sent)  # noqa: S311  # an order to test with
    with httpx.Client(headers={"X-Webhook-Secret": ACME_SHARED}, timeout=20) as client:
        assert {client.post(f"{served.url}/webhooks/apify", json=one).status_code for one in sent} == {202}

    found = runs(settings)
    assert len(found) == 8
    for job, (row,) in found:
        ended = runs_of[row.metrics["Apify Run ID"]]
        assert row.metrics["Apify API Costs"] == Decimal("0.1")
        assert row.metrics["Total Posts Harvested"] == 7
        assert row.status is (Status.COMPLETED if ended == "SUCCEEDED" else Status.FAILED)
        assert job.status is row.status
        assert job.metrics["Apify API Costs"] == Decimal("0.1")
        assert len(row.errors) == (ended != "SUCCEEDED")


@pytest.mark.parametrize("order", list(permutations(["CREATED", "FAILED", "RESURRECTED", "SUCCEEDED"])))
def test_the_last_event_in_time_decides_whatever_came_last(served: ServedGateway, settings: Settings, order: tuple[str, ...]) -> None:
    sent = {
        "CREATED": payload("CREATED", 16, posts_harvested=0, resource={"usageTotalUsd": 0}),
        "FAILED": payload("FAILED", 20, posts_harvested=3, resource={"usageTotalUsd": 0.1, "statusMessage": "out of memory"}),
        "RESURRECTED": payload("RESURRECTED", 25, posts_harvested=None),
        "SUCCEEDED": payload("SUCCEEDED", 30, posts_harvested=10, resource={"usageTotalUsd": 0.3}),
    }
    for kind in order:
        assert post(served, sent[kind]).status_code == 202

    job, (client,) = only_run(settings)
    assert (job.status, client.status) == (Status.COMPLETED, Status.COMPLETED)
    assert client.metrics["Apify Status"] == "SUCCEEDED"
    # Apify tells what the run has used so far: what the failed part told is in what the whole told.
    assert (client.metrics["Total Posts Harvested"], client.metrics["Apify API Costs"]) == (10, Decimal("0.3"))
    assert f"Apify run {APIFY}: FAILED: out of memory" in text(client, "errors")


def test_a_failure_after_a_success_in_time_wins_also_when_it_came_first(served: ServedGateway, settings: Settings) -> None:
    for sent in (payload("FAILED", 40), payload("SUCCEEDED", 30, posts_harvested=1)):
        post(served, sent)
    job, (client,) = only_run(settings)
    assert (job.status, client.status, client.metrics["Apify Status"]) == (Status.FAILED, Status.FAILED, "FAILED")


def test_a_day_late_it_is_known_by_another_gateway_and_another_worker(served: ServedGateway, settings: Settings, redis_url: str) -> None:
    sent = payload(posts_harvested=5, cost=0.1)
    post(served, sent)
    only_run(settings)
    link = Link(redis_url, name="test")
    link.open()
    try:
        # What is remembered of it is kept for at least 33 h more: Apify's last try comes after about 32.
        lifetimes = {
            key: link.call("TTL", key) for key in link.call("KEYS", "*") if b":ids:" in key or b"rt:apify" in key or b"named" in key
        }
    finally:
        link.close()
    assert len(lifetimes) >= 3
    assert min(lifetimes.values()) > 33 * 3600
    with ServedGateway(settings) as other:
        assert post(other, sent).status_code == 202
    _, (client,) = only_run(settings)
    assert (client.metrics["Total Posts Harvested"], client.metrics["Apify API Costs"]) == (5, Decimal("0.1"))


@pytest.mark.parametrize("kind", ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"])
def test_each_end_is_one_of_the_four_statuses(served: ServedGateway, settings: Settings, kind: str) -> None:
    post(served, payload(kind, posts_harvested=1))
    _, (client,) = only_run(settings)
    assert client.status is (Status.COMPLETED if kind == "SUCCEEDED" else Status.FAILED)
    assert client.metrics["Apify Status"] == STATUS.get(kind, kind)


def test_a_success_without_posts_is_no_leads(served: ServedGateway, settings: Settings) -> None:
    post(served, payload(posts_harvested=0))
    assert only_run(settings)[0].status is Status.NO_LEADS


@pytest.mark.parametrize(
    ("variables", "query"),
    [
        ({"run_id": "250929-080000-acme"}, ""),
        ({"runId": "250929-080000", "clientId": "acme"}, ""),
        ({"run_id": "250929-080000"}, "?client=acme"),
        ({"run_id": "job_post_scoring_stream1_20250929080000", "client_id": "acme"}, ""),
        ({"run_id": f"250929-080000-apify-{APIFY}", "client_id": "acme"}, ""),
        ({"run_id": "2025-09-29T10:00:00+02:00", "client_id": "acme"}, ""),
    ],
)
def test_the_run_of_the_template_in_any_format_is_counted_in(
    served: ServedGateway, settings: Settings, variables: dict[str, str], query: str
) -> None:
    answer = post(served, payload(posts_harvested=4, **variables), query, EVERY_SHARED)
    assert answer.json() == {"accepted": 1, "run_id": "250929-080000", "client_id": "acme"}
    job, (client,) = only_run(settings)
    # The job is somebody else's: its end is not told here.
    assert (job.run, job.status, job.announced, client.status) == ("250929-080000", Status.RUNNING, False, Status.COMPLETED)
    assert client.metrics["Total Posts Harvested"] == 4


def test_apifys_own_id_as_run_id_is_no_run_of_ours(served: ServedGateway) -> None:
    assert post(served, payload(runId=APIFY, day=2)).json()["run_id"] == "250902-141522"
    assert post(served, payload(runId="zZ3dE5fG7hJ9kL1mN")).status_code == 422


def test_runs_that_started_in_the_same_second_stay_apart(served: ServedGateway, settings: Settings) -> None:
    taken = [post(served, payload(apify=f"{number:017d}", day=3)).json()["run_id"] for number in (1, 2, 1)]
    assert taken == ["250903-141522", "250903-141523", "250903-141522"]


def test_without_a_client_it_says_what_to_add(served: ServedGateway, settings: Settings) -> None:
    answer = post(served, payload(), secret=EVERY_SHARED)
    assert (answer.status_code, answer.json()["code"]) == (422, "client-missing")
    assert '"client_id"' in answer.json()["detail"]
    assert "payload template" in answer.json()["detail"]
    assert runs(settings) == []


@pytest.mark.parametrize(
    ("variables", "query", "status", "code"),
    [
        ({"client_id": "globex"}, "", 403, "client-forbidden"),
        ({"run_id": "250929-080000-globex"}, "", 403, "client-forbidden"),
        ({}, "?client=globex", 403, "client-forbidden"),
        ({"client_id": "acme"}, "?client=globex", 422, "client-ambiguous"),
        ({"run_id": "250929-080000-acme", "client_id": "globex"}, "", 422, "client-ambiguous"),
        ({"client_id": "apify-aB3dE5fG7hJ9kL1mN"}, "", 422, "client-invalid"),
        ({"run_id": "259999-999999"}, "", 422, "payload-refused"),
        ({"run_id": "SR-250923-001-S1-Cacme"}, "", 422, "payload-refused"),
        ({"posts_harvested": "many"}, "", 422, "payload-refused"),
    ],
)
def test_what_is_refused(served: ServedGateway, settings: Settings, variables: dict[str, str], query: str, status: int, code: str) -> None:
    answer = post(served, payload(**variables), query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert runs(settings) == []


def test_apifys_test_and_builds_are_answered_and_not_counted(served: ServedGateway, settings: Settings) -> None:
    for kind in ("TEST", "ACTOR.BUILD.SUCCEEDED"):
        answer = post(served, payload() | {"eventType": kind})
        assert (answer.status_code, answer.json()) == (200, {"accepted": 0})
    assert served.counters["webhook_apify_ignored"] == 2
    assert runs(settings) == []


def test_a_bearer_token_in_apifys_headers_template(served: ServedGateway, new_token: Callable[..., str], settings: Settings) -> None:
    token = new_token("ingest", clients=["acme"], sources=["/webhooks/apify"])
    answer = httpx.post(f"{served.url}/webhooks/apify", json=payload(), headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["client_id"] == "acme"
    assert only_run(settings)[1][0].client == "acme"
