"""`POST /v1/events` while it cannot take more: it says so, says when to come again, and what is sent again then counts once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest

from contract import keys
from contract.link import Link
from contract.settings import Settings
from embedded import EmbeddedValkey
from tests.conftest import SettingsMaker
from tests.server.folding import fold_everything
from tests.server.gateway.conftest import ServedGateway
from tests.server.gateway.test_events import RUN, event

BATCH = {"Content-Type": "application/cloudevents-batch+json"}
Folded = Callable[[str], dict[str, Any] | None]


def send(served: ServedGateway, token: str, number: int) -> httpx.Response:
    return httpx.post(f"{served.url}/v1/events", json=[event(number)], headers={"Authorization": f"Bearer {token}"} | BATCH, timeout=30)


def assert_later(answer: httpx.Response, status: int, code: str, least_s: int) -> None:
    assert (answer.status_code, answer.json()["code"], answer.headers["content-type"]) == (status, code, "application/problem+json")
    assert int(answer.headers["retry-after"]) >= least_s


def leads(job: dict[str, Any] | None) -> int:
    assert job is not None
    return int(job["metrics"]["Leads Processed"])


def test_above_its_pace_a_token_is_told_to_wait_and_others_are_served(
    make_settings: SettingsMaker, redis_url: str, new_token: Callable[..., str], folded: Folded
) -> None:
    hasty, other = new_token("ingest"), new_token("ingest")
    with ServedGateway(make_settings(redis_url=redis_url, gateway_requests_per_s=0.001)) as served:
        assert send(served, hasty, 1).status_code == 202
        for number in (1, 2, 3):
            assert_later(send(served, hasty, number), 429, "too-many-requests", 60)
        assert send(served, other, 4).status_code == 202
        assert served.counters["refused_too-many-requests"] == 3

    assert leads(folded(RUN)) == 2, "of what was refused nothing is in the log"


def test_while_the_log_is_full_events_are_refused_and_taken_again_once_it_is_folded(
    make_settings: SettingsMaker, redis_url: str, token: str, folded: Folded
) -> None:
    settings = make_settings(redis_url=redis_url, log_max_entries=2)
    link = Link(redis_url, name="test")
    link.open()
    # What has waited for its fold for long.
    link.call("XADD", keys.log(keys.partition_of(RUN, settings.partitions)), "1-1", "batch", b"[]")
    with ServedGateway(settings) as served:
        assert send(served, token, 1).status_code == 202, "so it learns how long the log is"
        for number in (1, 2):
            assert_later(send(served, token, number), 503, "log-full", 5)
        assert link.call("XLEN", keys.log(keys.partition_of(RUN, settings.partitions))) == 2

        fold_everything(settings)

        assert [send(served, token, number).status_code for number in (1, 2)] == [202, 202]
    link.close()
    assert leads(folded(RUN)) == 2


@pytest.mark.parametrize("remembered", [True, False], ids=["a token it knows", "a token it cannot look up"])
def test_while_redis_is_away_events_are_refused_and_taken_again_once_it_is_back(
    durable_valkey: EmbeddedValkey, make_settings: SettingsMaker, remembered: bool
) -> None:
    settings = make_settings(redis_url=durable_valkey.url, delivery="fsynced")
    with ServedGateway(settings) as served:
        token = made_token(settings)
        if remembered:
            assert send(served, token, 1).status_code == 202
        durable_valkey.kill()
        for number in (1, 2):
            assert_later(send(served, token, number), 503, "store-away", 2)
        durable_valkey.restart()
        assert [send(served, token, number).status_code for number in (1, 2)] == [202, 202]
        fold_everything(settings)
        answer = httpx.get(f"{served.url}/v1/jobs/{RUN}", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert leads(answer.json()) == 2


def made_token(settings: Settings) -> str:
    """A token in the settings' Redis, on its disk."""
    from producers.gateway.access import shelf
    from producers.gateway.access.token import Scope, make_token

    made = make_token("test", [Scope.INGEST, Scope.READ], clients=[], sources=[], created_ms=0)
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    try:
        shelf.add(link, made.token)
        link.call("WAITAOF", 1, 0, 5_000)
    finally:
        link.close()
    return made.text
