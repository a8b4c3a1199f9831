"""Who may send webhooks: signed, with a shared secret, or with a token; all else is 401 and counted, and nothing of it is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest

from contract.settings import Settings
from tests.conftest import SettingsMaker
from tests.server.counted_runs import runs
from tests.server.gateway.conftest import ServedGateway
from tests.server.gateway.signing import ACME, ACME_NEXT, ACME_SHARED, EVERY, EVERY_SHARED, SECRETS, STRANGER, signed

LEAD = {"email": "ada@example.com"}
JSON = {"content-type": "application/json"}


@pytest.fixture
def settings(make_settings: SettingsMaker, redis_url: str) -> Settings:
    return make_settings(redis_url=redis_url, webhook_secrets=SECRETS)


def post(served: ServedGateway, query: str = "", **request: Any) -> httpx.Response:
    return httpx.post(f"{served.url}/webhooks/leads{query}", timeout=20, **request)


def counted(settings: Settings) -> dict[str, int]:
    return {client.client: client.metrics["Leads Processed"] for _, clients in runs(settings) for client in clients}


@pytest.mark.parametrize("secrets", [(ACME,), (ACME_NEXT,), (STRANGER, ACME), (ACME_NEXT, ACME)])
def test_a_signature_of_any_of_a_clients_secrets_names_the_client(
    served: ServedGateway, settings: Settings, secrets: tuple[str, ...]
) -> None:
    assert post(served, **signed(LEAD, *secrets)).status_code == 202
    assert counted(settings) == {"acme": 1}


def test_a_secret_for_every_client_needs_the_client_to_be_named(served: ServedGateway, settings: Settings) -> None:
    unnamed = post(served, **signed(LEAD, EVERY))
    assert (unnamed.status_code, unnamed.json()["code"]) == (422, "client-missing")
    assert post(served, "?client=Jane-Doe", **signed(LEAD, EVERY)).status_code == 202
    request = signed(LEAD, EVERY, message_id="msg_2")
    request["headers"]["X-Webhook-Client"] = "zoë".encode()
    assert post(served, **request).status_code == 202
    assert counted(settings) == {"Jane-Doe": 1, "zoë": 1}


def test_a_clients_secret_writes_no_other_clients_row(served: ServedGateway, new_token: Callable[..., str], settings: Settings) -> None:
    token = new_token("ingest", clients=["acme"])
    for request in (
        signed(LEAD, ACME),
        {"json": LEAD, "headers": {"X-Webhook-Secret": ACME_SHARED}},
        {"json": LEAD, "headers": {"Authorization": f"Bearer {token}"}},
    ):
        answer = post(served, "?client=globex", **request)
        assert (answer.status_code, answer.json()["code"]) == (403, "client-forbidden")
    assert runs(settings) == []


def test_a_shared_secret_and_a_token_open_it_too(served: ServedGateway, new_token: Callable[..., str], settings: Settings) -> None:
    assert post(served, json=LEAD, headers={"X-Webhook-Secret": ACME_SHARED}).status_code == 202
    assert post(served, "?client=b", json=LEAD, headers={"X-Webhook-Secret": EVERY_SHARED}).status_code == 202
    one = new_token("ingest", clients=["c"], sources=["/webhooks"])
    assert post(served, json=LEAD, headers={"Authorization": f"Bearer {one}", "webhook-id": "msg_1"}).status_code == 202
    for wrong in (new_token("read"), new_token("ingest", sources=["/webhooks/profiles"])):
        assert post(served, "?client=d", json=LEAD, headers={"Authorization": f"Bearer {wrong}"}).status_code == 403
    assert counted(settings) == {"acme": 1, "b": 1, "c": 1}


def broken() -> Iterator[tuple[str, dict[str, Any], str]]:
    good = signed(LEAD, ACME)

    def changed(**headers: bytes) -> dict[str, Any]:
        return good | {"headers": good["headers"] | {name.replace("_", "-"): value for name, value in headers.items()}}

    yield "changed body", good | {"content": good["content"] + b" "}, "signature-wrong"
    yield "changed id", changed(webhook_id=b"msg_2"), "signature-wrong"
    yield "wrong secret", signed(LEAD, STRANGER), "signature-wrong"
    yield "old", signed(LEAD, ACME, late_s=400), "signature-timestamp"
    yield "future", signed(LEAD, ACME, late_s=-400), "signature-timestamp"
    yield "no number", changed(webhook_timestamp=b"soon"), "signature-malformed"
    yield "not ascii", changed(webhook_id="ü".encode()), "signature-malformed"
    yield "not base64", changed(webhook_signature=b"v1,!!!"), "signature-malformed"
    yield "not even bytes of text", changed(webhook_signature=b"v1,\xff\xfe"), "signature-malformed"
    yield "missing", good | {"headers": {"webhook-signature": "v1,YQ=="}}, "signature-incomplete"
    yield "only an id", {"json": LEAD, "headers": {"webhook-id": "msg_1"}}, "signature-incomplete"
    yield "wrong shared secret", {"json": LEAD, "headers": {"X-Webhook-Secret": ACME_SHARED[:-1]}}, "secret-wrong"
    yield "secret of the other kind", {"json": LEAD, "headers": {"X-Webhook-Secret": ACME}}, "secret-wrong"
    yield "secret twice", {"json": LEAD, "headers": [("X-Webhook-Secret", ACME_SHARED)] * 2}, "secret-wrong"
    yield "wrong token", {"json": LEAD, "headers": {"Authorization": "Bearer rt_000000000000_x"}}, "token-unknown"
    yield "nothing", {"json": LEAD}, "token-missing"


@pytest.mark.parametrize("name", [case[0] for case in broken()])
def test_all_else_is_401_counted_by_reason_and_says_nothing_of_secrets(served: ServedGateway, settings: Settings, name: str) -> None:
    # Made anew: what was signed when the tests were collected may be too old by now.
    request, code = next(case[1:] for case in broken() if case[0] == name)

    answer = post(served, "?client=acme", **request)

    assert answer.status_code == 401
    assert answer.json()["code"] == code
    assert served.counters[f"refused_{code}"] == 1
    assert not any(text in answer.text for texts in SECRETS.values() for text in texts)
    assert runs(settings) == []


def test_what_a_wrong_secret_is_told_does_not_depend_on_how_wrong_it_is(served: ServedGateway) -> None:
    nearly = signed(LEAD, ACME) | {"content": b'{"email": "ada@example.co"}'}
    answers = {post(served, "?client=acme", **request).text for request in (nearly, signed(LEAD, STRANGER))}
    assert len(answers) == 1


def test_the_claimed_signature_decides_also_beside_a_good_token(served: ServedGateway, token: str) -> None:
    request = signed(LEAD, STRANGER)
    request["headers"]["Authorization"] = f"Bearer {token}"
    assert post(served, "?client=acme", **request).status_code == 401


def test_secrets_of_large_bodies_are_tried_off_the_loop(served: ServedGateway, settings: Settings) -> None:
    leads = [{"text": "x" * 1_000} for _ in range(600)]
    assert post(served, **signed(leads, ACME)).status_code == 202
    assert counted(settings) == {"acme": 600}


def test_each_sender_has_its_pace(make_settings: SettingsMaker, redis_url: str) -> None:
    with ServedGateway(make_settings(redis_url=redis_url, webhook_secrets=SECRETS, gateway_requests_per_s=1)) as served:
        statuses = [post(served, json=[], headers={"X-Webhook-Secret": ACME_SHARED}).status_code for _ in range(4)]
        assert statuses[:2] == [202, 202]
        assert 429 in statuses
        assert post(served, "?client=b", json=[], headers={"X-Webhook-Secret": EVERY_SHARED}).status_code == 202


def test_unset_means_closed(make_settings: SettingsMaker, redis_url: str) -> None:
    with ServedGateway(make_settings(redis_url=redis_url)) as served:
        assert post(served, **signed(LEAD, ACME)).status_code == 401
        assert post(served, json=LEAD, headers={"X-Webhook-Secret": ""}).status_code == 401


def test_two_names_for_the_client_are_refused(served: ServedGateway) -> None:
    request = signed(LEAD, EVERY)
    request["headers"]["X-Webhook-Client"] = "a"
    assert post(served, "?client=b", **request).json()["code"] == "client-ambiguous"
    assert post(served, "?client=%00", **signed(LEAD, EVERY)).json()["code"] == "client-invalid"
    request["headers"]["X-Webhook-Client"] = b"\xff"
    assert post(served, **request).json()["code"] == "client-invalid"
