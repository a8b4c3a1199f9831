"""What a webhook brought and cannot be used is kept as a dead letter: once, bounded, without secrets, with what to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest

from contract import keys
from contract.link import Link
from contract.settings import Settings
from producers.gateway import handlers
from producers.gateway.handlers import on_leads
from producers.gateway.webhooks.letters import MOST_CHARS
from tests.conftest import SettingsMaker
from tests.server.counted_runs import only_run
from tests.server.gateway.conftest import ServedGateway
from tests.server.gateway.signing import ACME, ACME_SHARED, EVERY_SHARED, SECRETS, signed
from tests.server.gateway.test_webhook_apify import payload
from tests.server.test_cli_dead import runtally
from worker.dead import DeadLetter, DeadLetters, Wanted


@pytest.fixture(autouse=True)
def _own_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_registered", {})


@pytest.fixture
def settings(make_settings: SettingsMaker, redis_url: str) -> Settings:
    return make_settings(redis_url=redis_url, webhook_secrets=SECRETS)


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


@pytest.fixture
def kept(link: Link, settings: Settings) -> Callable[..., list[DeadLetter]]:
    """`kept(client=…)`: the letters there are, newest first."""
    return lambda **wanted: list(DeadLetters(link, settings.partitions, None).find(Wanted(**wanted)))


def post(served: ServedGateway, path: str, sent: Any, secret: str = ACME_SHARED) -> httpx.Response:
    content = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    headers = {"X-Webhook-Secret": secret, "Content-Type": "application/json"}
    return httpx.post(f"{served.url}/webhooks/{path}", content=content, headers=headers, timeout=20)


@pytest.mark.parametrize("run_id", ["UNKNOWN", "SR-250922-002"])
def test_an_apify_webhook_that_cannot_be_used_is_kept_once_however_often_it_is_sent(
    served: ServedGateway, kept: Callable[..., list[DeadLetter]], run_id: str
) -> None:
    sent = payload(run_id=run_id, client_id="acme", posts_harvested=7)

    assert {post(served, "apify", sent, EVERY_SHARED).status_code for _ in range(11)} == {422}

    (letter,) = kept(kind="webhook", client="acme")
    assert letter.id.place == "web"
    assert letter.content == sent
    assert run_id in letter.reason
    assert {name: letter.origin[name] for name in ("route", "caller", "code", "client")} == {
        "route": "/webhooks/apify",
        "caller": "webhook:*",
        "code": "payload-refused",
        "client": "acme",
    }
    assert served.counters["webhook_letters"] == 1


@pytest.mark.parametrize(
    ("path", "sent", "code"),
    [
        ("leads", b"no JSON \xff", "json-refused"),
        ("leads", [{}, 7], "items-refused"),
        ("profiles?client=%00", {}, "client-invalid"),
        ("apify", {"eventType": "ACTOR.RUN.SUCCEEDED"}, "payload-refused"),
        ("apify?client=acme", payload(client_id="beta"), "client-ambiguous"),
    ],
)
def test_whatever_a_known_sender_sends_and_nobody_can_use_is_kept(
    served: ServedGateway, kept: Callable[..., list[DeadLetter]], path: str, sent: Any, code: str
) -> None:
    answer = post(served, path, sent)

    (letter,) = kept()
    assert (answer.status_code, answer.json()["code"], letter.origin["code"]) == (422, code, code)
    assert letter.reason == answer.json()["detail"]


def test_what_strangers_and_others_send_is_not_kept_and_no_secret_is(
    served: ServedGateway, kept: Callable[..., list[DeadLetter]], link: Link
) -> None:
    assert post(served, "leads", b"{", "no-secret-of-ours-01").status_code == 401
    assert post(served, "leads?client=beta", {}).status_code == 403
    assert post(served, "apify", payload(client_id="beta")).status_code == 403
    assert kept() == []

    assert post(served, "leads", b"{").status_code == 422
    assert httpx.post(f"{served.url}/webhooks/leads", **signed(b"[", ACME)).status_code == 422
    entries = repr(link.call("XRANGE", keys.GATEWAY_DEAD, "-", "+"))
    assert len(kept()) == 2
    assert not any(secret in entries for secret in (ACME_SHARED, ACME, "webhook-signature"))


def test_a_lead_whose_handler_raised_is_kept_with_the_exception(
    served: ServedGateway, settings: Settings, kept: Callable[..., list[DeadLetter]]
) -> None:
    @on_leads
    def take(client_id: str, lead: dict[str, Any]) -> None:
        if lead["n"] % 2:
            raise KeyError(f"no field for {lead['n']}")

    sent = [{"n": number, "subject": "not a run"} for number in range(4)]
    answers = {post(served, "leads", sent).text for _ in range(3)}

    assert len(answers) == 1
    job, _ = only_run(settings)
    letters = kept(client="acme")
    assert [(letter.content, letter.about.standard, letter.origin["item"]) for letter in letters[::-1]] == [
        (sent[1], f"{job.run}-acme", 1),
        (sent[3], f"{job.run}-acme", 3),
    ]
    assert letters[0].reason == "its handler raised KeyError: 'no field for 3'"


def test_a_body_is_kept_up_to_a_bound_and_so_are_letters(make_settings: SettingsMaker, redis_url: str, link: Link) -> None:
    settings = make_settings(redis_url=redis_url, webhook_secrets=SECRETS, dead_letters=100)
    letters = DeadLetters(link, settings.partitions, None)
    with ServedGateway(settings) as served:
        assert post(served, "leads", b"x" * (MOST_CHARS + 5)).status_code == 422
        (first,) = letters.find(Wanted())
        assert (len(first.text), first.origin["cut_chars"]) == (MOST_CHARS, 5)

        assert post(served, "leads", {}, EVERY_SHARED).status_code == 422

        @on_leads
        def take(client_id: str, lead: dict[str, Any]) -> None:
            raise ValueError

        assert post(served, "leads", [{"n": n} for n in range(400)]).json()["failed"] == 400
    left = link.call("XLEN", keys.GATEWAY_DEAD)
    assert 100 <= left < 300
    assert letters.bound_dropped() == 402 - left


def test_without_redis_the_sender_is_told_all_the_same(make_settings: SettingsMaker) -> None:
    with ServedGateway(make_settings(redis_url="redis://127.0.0.1:1/0", webhook_secrets=SECRETS)) as served:
        assert post(served, "leads", b"{").status_code == 422


def test_at_the_shell_it_is_shown_sent_again_to_its_route_and_dropped(served: ServedGateway, settings: Settings) -> None:
    sent = payload(day=5, run_id="UNKNOWN", posts_harvested=7, api_key="a-secret-of-theirs")
    post(served, "apify?client=acme", sent, EVERY_SHARED)

    (told,) = map(json.loads, runtally(settings, "list", "--kind", "webhook", "--client", "acme", "--json").stdout.splitlines())
    refused = runtally(settings, "retry", told["letter"])
    assert refused.returncode == 1
    assert "POST it to /webhooks/apify?client=acme and drop the letter" in " ".join(refused.stderr.split())
    assert "web:" in runtally(settings, "list").stdout
    shown = runtally(settings, "show", told["letter"])
    assert "/webhooks/apify" in shown.stdout
    assert "a-secret-of-theirs" not in shown.stdout

    content = json.loads(runtally(settings, "show", told["letter"], "--json").stdout)["content"] | {"run_id": "250930-141522"}
    assert post(served, "apify?client=acme", content, EVERY_SHARED).status_code == 202
    assert runtally(settings, "drop", told["letter"]).returncode == 0
    job, (client,) = only_run(settings)
    assert (job.run, client.client, client.metrics["Total Posts Harvested"]) == ("250930-141522", "acme", 7)
    assert runtally(settings, "list").stdout.strip() == "no dead letters"
