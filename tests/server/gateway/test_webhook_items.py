"""`POST /webhooks/leads` and `/webhooks/profiles`: each delivery is counted once, for its client, and leaves no row Running."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest

from contract import keys
from contract.link import Link
from contract.settings import Settings
from contract.status import Status
from tests.conftest import SettingsMaker
from tests.server.counted_runs import only_run, runs
from tests.server.gateway.conftest import ServedGateway
from tests.server.gateway.signing import ACME, SECRETS, signed

LEADS = [{"email": f"lead-{number}@example.com"} for number in range(3)]


@pytest.fixture
def settings(make_settings: SettingsMaker, redis_url: str) -> Settings:
    return make_settings(redis_url=redis_url, webhook_secrets=SECRETS, gateway_batch_events=100)


def answer_of(run: str, **counts: int) -> dict[str, Any]:
    return {"received": 0, "accepted": 0, "failed": 0, "skipped": 0} | counts | {"run_id": run}


def test_one_object_or_an_array_counts_as_leads_processed_in_the_days_run(http: httpx.Client, settings: Settings) -> None:
    one = http.post("/webhooks/leads?client=acme", json=LEADS[0])
    many = http.post("/webhooks/leads?client=acme", json=LEADS)
    other = http.post("/webhooks/leads?client=Jane-Doe", json=LEADS[:2])

    job, clients = only_run(settings)
    assert [answer.status_code for answer in (one, many, other)] == [202, 202, 202]
    assert one.json() == answer_of(job.run, received=1, accepted=1)
    assert many.json() == answer_of(job.run, received=3, accepted=3)
    assert (job.job_type, job.status, job.announced, job.notes) == ("webhook_leads", Status.COMPLETED, True, [])
    assert {client.client: client.metrics["Leads Processed"] for client in clients} == {"acme": 4, "Jane-Doe": 2}
    assert job.metrics == {"Leads Processed": 6, "Leads Skipped": 0, "Errors": 0}
    for client in clients:
        assert (client.status, client.announced, client.notes) == (Status.COMPLETED, True, [])


def test_profiles_have_a_run_of_their_own(http: httpx.Client, settings: Settings) -> None:
    leads = http.post("/webhooks/leads?client=acme", json=LEADS).json()["run_id"]
    profiles = http.post("/webhooks/profiles?client=acme", json=LEADS).json()["run_id"]

    assert {job.run: (job.job_type, job.metrics["Leads Processed"]) for job, _ in runs(settings)} == {
        leads: ("webhook_leads", 3),
        profiles: ("webhook_profiles", 3),
    }


def test_nothing_to_process(http: httpx.Client, settings: Settings) -> None:
    assert http.post("/webhooks/leads?client=acme", json=[]).json()["received"] == 0
    job, (client,) = only_run(settings)
    assert (job.status, client.status) == (Status.NO_LEADS, Status.NO_LEADS)


@pytest.mark.parametrize(("span", "name"), [("day", "leads:%y%m%d"), ("hour", "leads:%y%m%d-%H")])
def test_how_long_a_run_gathers_is_a_setting(make_settings: SettingsMaker, redis_url: str, span: str, name: str) -> None:
    settings = make_settings(redis_url=redis_url, webhook_secrets=SECRETS, webhook_run=span)
    names = {datetime.now(UTC).strftime(name)}
    with ServedGateway(settings) as served:
        run = httpx.post(f"{served.url}/webhooks/leads", **signed(LEADS, ACME)).json()["run_id"]
    names.add(datetime.now(UTC).strftime(name))
    link = Link(redis_url, name="test")
    link.open()
    try:
        assert run.encode() in [link.call("GET", keys.named_run("webhook", found)) for found in names]
    finally:
        link.close()


def test_a_signed_delivery_sent_eleven_times_is_answered_the_same_and_counts_once(served: ServedGateway, settings: Settings) -> None:
    async def send_all() -> set[str]:
        async with httpx.AsyncClient(base_url=served.url, timeout=20) as client:
            answers = await asyncio.gather(*(client.post("/webhooks/leads", **signed(LEADS, ACME)) for _ in range(11)))
            return {answer.text for answer in answers} | {str(answer.status_code) for answer in answers}

    found = asyncio.run(send_all())

    job, (client,) = only_run(settings)
    assert found == {"202", json.dumps(answer_of(job.run, received=3, accepted=3), separators=(",", ":"))}
    assert client.metrics["Leads Processed"] == 3
    assert served.counters["webhook_leads_received"] == 3
    assert served.counters["webhook_leads_repeats"] == 10


def test_a_delivery_is_known_on_every_machine_and_by_any_of_a_clients_secrets(served: ServedGateway, settings: Settings) -> None:
    first = httpx.post(f"{served.url}/webhooks/leads", **signed(LEADS, ACME))
    with ServedGateway(settings) as other:
        again = httpx.post(f"{other.url}/webhooks/leads", **signed(LEADS, SECRETS["acme"][1]))
        other_body = httpx.post(f"{other.url}/webhooks/leads", **signed(LEADS[:1], ACME))
    assert first.text == again.text == other_body.text
    job, _ = only_run(settings)
    assert job.metrics["Leads Processed"] == 3


def test_a_caught_request_counts_for_no_other_client(served: ServedGateway, settings: Settings) -> None:
    request = signed(LEADS, SECRETS["*"][0])
    first = httpx.post(f"{served.url}/webhooks/leads?client=a", **request)
    caught = httpx.post(f"{served.url}/webhooks/leads?client=b", **request)
    assert first.text == caught.text
    _, (client,) = only_run(settings)
    assert (client.client, client.metrics["Leads Processed"]) == ("a", 3)


def test_without_a_webhook_id_the_idempotency_key_and_then_the_bytes_are_the_identity(http: httpx.Client, settings: Settings) -> None:
    def post(leads: Any, client: str = "acme", **headers: str) -> httpx.Response:
        return http.post(
            f"/webhooks/leads?client={client}", json=leads, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )

    for _ in range(3):
        assert post(LEADS).status_code == 202
        assert post(LEADS, Idempotency_Key="k1").status_code == 202
        assert post(LEADS, webhook_id="m1", Idempotency_Key="k1").status_code == 202
        assert post(LEADS, client="b").status_code == 202
    reused = post(LEADS[:1], Idempotency_Key="k1")
    assert (reused.status_code, reused.json()["code"]) == (422, "key-reused")
    _, clients = only_run(settings)
    assert {client.client: client.metrics["Leads Processed"] for client in clients} == {"acme": 9, "b": 3}


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"[1, {}]", 422, "items-refused"),
        (b'"lead"', 422, "items-refused"),
        (b"null", 422, "items-refused"),
        (b"{", 422, "json-refused"),
        (b'{"a": 1, "a": 2}', 422, "json-refused"),
        (b"\xff", 422, "json-refused"),
        (b"", 422, "json-refused"),
        (json.dumps([{}] * 101).encode(), 413, "batch-too-large"),
        (b" " * 1_048_577, 413, "body-too-large"),
    ],
)
def test_what_cannot_be_used_is_refused_as_a_whole(http: httpx.Client, settings: Settings, content: bytes, status: int, code: str) -> None:
    answer = http.post("/webhooks/leads?client=acme", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert runs(settings) == []


def test_the_items_that_are_no_objects_are_named(http: httpx.Client) -> None:
    errors = http.post("/webhooks/leads?client=acme", json=[{}, 7, {}, []]).json()["errors"]
    assert [error["index"] for error in errors] == [1, 3]


def test_another_content_type(http: httpx.Client) -> None:
    answer = http.post("/webhooks/leads?client=acme", content=b"email=ada", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 415
    taken = http.post("/webhooks/leads?client=acme", content=b"{}", headers={"Content-Type": "application/vnd.crm+json; charset=utf-8"})
    assert taken.status_code == 202


def test_while_the_log_is_full_the_answer_is_503_and_the_repeats_count_once(make_settings: SettingsMaker, redis_url: str) -> None:
    settings = make_settings(redis_url=redis_url, webhook_secrets=SECRETS)
    link = Link(redis_url, name="test")
    link.open()
    for partition in range(settings.partitions):
        # What has waited for its fold for long.
        link.call("XADD", keys.log(partition), "1-1", "batch", b"[]")
    link.close()

    def send(served: ServedGateway) -> list[int]:
        requests = [signed(LEADS, ACME, message_id=str(number)) for number in range(4)]
        return [httpx.post(f"{served.url}/webhooks/leads", **request).status_code for request in requests]

    with ServedGateway(make_settings(redis_url=redis_url, webhook_secrets=SECRETS, log_max_entries=1)) as served:
        assert send(served) == [202, 503, 503, 503]
    with ServedGateway(settings) as served:
        assert send(served) == [202] * 4
        assert served.counters["webhook_leads_repeats"] == 4
    _, (client,) = only_run(settings)
    assert client.metrics["Leads Processed"] == 12


def test_without_redis_it_says_when_to_send_it_again(make_settings: SettingsMaker) -> None:
    with ServedGateway(make_settings(redis_url="redis://127.0.0.1:1/0", webhook_secrets=SECRETS)) as served:
        apify = {"eventType": "ACTOR.RUN.SUCCEEDED", "eventData": {"actorRunId": "aB3dE5fG7hJ9kL1mN"}}
        for path, body in (
            ("leads", LEADS),
            ("profiles", LEADS),
            ("apify", apify),
            ("apify", apify | {"run_id": "250930-141522", "cost": 1}),
        ):
            answer = httpx.post(f"{served.url}/webhooks/{path}", **signed(body, ACME), timeout=20)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2"), answer.text
