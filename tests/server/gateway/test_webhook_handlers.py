"""Handlers: your own code for each item. What it raises is counted, and it is not called again for what was answered."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from contract import keys
from contract.errors import SettingsInvalid
from contract.link import Link
from contract.settings import Settings
from contract.status import Status
from dashboard import StoredJobs
from producers.gateway import create_gateway, handlers
from producers.gateway.handlers import Skip, on_leads, on_profiles
from tests.conftest import SettingsMaker
from tests.server.counted_runs import only_run
from tests.server.gateway.conftest import ServedGateway


@pytest.fixture(autouse=True)
def _own_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_registered", {})


def test_accepted_skipped_and_failed_are_told_apart_and_the_others_go_on(http: httpx.Client, settings: Settings) -> None:
    seen: list[tuple[str, Any, str]] = []

    @on_leads
    def take(client_id: str, lead: dict[str, Any]) -> None:
        seen.append((client_id, lead["n"], threading.current_thread().name))
        if lead["n"] in (1, 2):
            raise Skip("NO_CONTENT")
        if lead["n"] == 3:
            raise Skip("SAFETY_BLOCK")
        if lead["n"] == 4:
            raise KeyError("email \ud800")

    answer = http.post("/webhooks/leads?client=acme", json=[{"n": number} for number in range(7)])

    counts = {"received": 7, "accepted": 3, "failed": 1, "skipped": 3}
    job, (client,) = only_run(settings)
    assert answer.json() == counts | {"run_id": job.run}
    assert [(who, number) for who, number, _ in seen] == [("acme", number) for number in range(7)]
    assert all(thread.startswith("runtally-handler") for _, _, thread in seen)
    assert client.metrics == {"Leads Processed": 7, "Leads Skipped": 3, "Errors": 1}
    assert client.skips == {"NO_CONTENT": 2, "SAFETY_BLOCK": 1}
    assert client.status is Status.COMPLETED
    (error,) = client.errors
    assert error.endswith("item 4: KeyError: 'email \\ud800'")


def test_coroutines_run_in_the_event_loop(http: httpx.Client, settings: Settings) -> None:
    threads = set()

    @on_profiles
    async def take(client_id: str, profile: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        threads.add(threading.current_thread().name)
        if profile:
            raise Skip("QUOTA")

    assert http.post("/webhooks/profiles?client=acme", json=[{}, {"a": 1}]).json()["skipped"] == 1
    assert http.post("/webhooks/leads?client=acme", json={"a": 1}).json()["accepted"] == 1
    assert not any(name.startswith("runtally-handler") for name in threads)


def test_a_plain_function_may_return_an_awaitable(http: httpx.Client) -> None:
    async def later() -> None:
        raise Skip("TIMEOUT")

    @on_leads
    def take(client_id: str, lead: dict[str, Any]) -> Any:
        return later()

    assert http.post("/webhooks/leads?client=acme", json={}).json()["skipped"] == 1


def test_a_repeat_is_answered_without_the_handler(http: httpx.Client, settings: Settings) -> None:
    calls: list[str] = []

    @on_leads
    def take(client_id: str, lead: dict[str, Any]) -> None:
        calls.append(client_id)
        if len(calls) > 1:
            raise Skip("SEEN")

    headers = {"webhook-id": "msg_1"}
    first = http.post("/webhooks/leads?client=acme", json={"n": 1}, headers=headers)
    with ServedGateway(settings) as other:
        again = httpx.post(
            f"{other.url}/webhooks/leads?client=acme", json={"n": 1}, headers=headers | {"Authorization": http.headers["Authorization"]}
        )
    assert first.text == again.text
    assert calls == ["acme"]
    _, (client,) = only_run(settings)
    assert client.metrics["Leads Processed"] == 1


def test_repeats_that_come_meanwhile_wait_for_the_first_here_and_on_other_machines(
    http: httpx.Client, settings: Settings, token: str
) -> None:
    calls: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    @on_leads
    def take(client_id: str, lead: dict[str, Any]) -> None:
        calls.append(client_id)
        begun.set()
        assert go_on.wait(20)

    answers: list[str] = []

    def post(url: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        answers.append(httpx.post(f"{url}/webhooks/leads?client=acme", json={"n": 1}, headers=headers, timeout=30).text)

    with ServedGateway(settings) as other:
        threads = [threading.Thread(target=post, args=(url,)) for url in (str(http.base_url).rstrip("/"), other.url) * 3]
        for thread in threads:
            thread.start()
        assert begun.wait(20)
        go_on.set()
        for thread in threads:
            thread.join(30)
    assert len(answers) == 6
    assert len(set(answers)) == 1
    assert calls == ["acme"]


def test_a_delivery_whose_process_died_midway_is_handled_again_once_its_claim_has_ended(http: httpx.Client, settings: Settings) -> None:
    calls: list[str] = []

    @on_leads
    def take(client_id: str, lead: dict[str, Any]) -> None:
        calls.append(client_id)

    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    try:
        http.post("/webhooks/leads?client=acme", json={"n": 1})
        (key,) = link.call("KEYS", keys.webhook_receipt("*"))
        # What a dead process leaves: a claim, ended before anybody asks again, and no receipt.
        link.call("SET", key, b"?0011223344556677", "PX", 1)
        assert http.post("/webhooks/leads?client=acme", json={"n": 1}).status_code == 202
    finally:
        link.close()
    assert calls == ["acme", "acme"]
    _, (client,) = only_run(settings)
    assert client.metrics["Leads Processed"] == 1


def test_a_flood_of_reasons_and_failures_is_bounded(http: httpx.Client, settings: Settings) -> None:
    @on_leads
    def take(client_id: str, lead: dict[str, Any]) -> None:
        if lead["n"] % 2:
            raise Skip(f"{lead['n']} " + "x" * 300 if lead["n"] > 1 else " ")
        raise RuntimeError("y" * 5_000)

    assert http.post("/webhooks/leads?client=acme", json=[{"n": number} for number in range(300)]).json()["failed"] == 150
    _, (client,) = only_run(settings)
    assert sum(client.skips.values()) == 150
    assert len(client.skips) <= 100
    assert client.skips["UNKNOWN"] == 1
    (error,) = client.errors
    assert error.endswith("; and 145 more")
    assert len(error) < 1_100


def test_the_module_is_imported_at_start(
    make_settings: SettingsMaker, redis_url: str, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "of_my_own.py").write_text(
        "from producers.gateway.handlers import Skip, on_leads\n"
        "@on_leads\n"
        "def take(client_id, lead):\n"
        "    if 'email' not in lead:\n"
        "        raise Skip('NO_CONTENT')\n"
    )
    with ServedGateway(make_settings(redis_url=redis_url, handlers="of_my_own")) as served:
        answer = httpx.post(
            f"{served.url}/webhooks/leads?client=acme", json=[{}, {"email": "a"}], headers={"Authorization": f"Bearer {token}"}
        )
    assert (answer.json()["accepted"], answer.json()["skipped"]) == (1, 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "broken_one cannot be imported: ModuleNotFoundError"),
        ("1 / 0", "broken_one cannot be imported: ZeroDivisionError: division by zero"),
        ("", "broken_one has no function under @on_leads, @on_profiles or @on_job"),
        ("from producers.gateway.handlers import on_leads\non_leads(print)\non_leads(len)\n", "@on_leads stands at builtins.print already"),
    ],
)
def test_a_module_that_is_no_use_is_refused_at_start(
    make_settings: SettingsMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_one", raising=False)
    if text is not None:
        (tmp_path / "broken_one.py").write_text(text)
    settings = make_settings(handlers="broken_one")
    with pytest.raises(SettingsInvalid, match="RUNTALLY_HANDLERS") as refused:
        create_gateway(settings, StoredJobs(settings))
    assert reason in str(refused.value)


@pytest.mark.parametrize("name", ["", "a b", "a.", "os; x"])
def test_a_name_that_is_none_is_refused(make_settings: Callable[..., Settings], name: str) -> None:
    with pytest.raises(SettingsInvalid, match="RUNTALLY_HANDLERS"):
        make_settings(handlers=name)
