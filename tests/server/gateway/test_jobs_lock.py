"""The lock of a job that was started over HTTP: in no process, the same as everywhere, gone with its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx
import pytest

from contract.errors import AlreadyRunning
from contract.link import Link
from contract.settings import Settings
from embedded import EmbeddedValkey
from producers.exclusive import Exclusive, Holder, Scope, held, release
from tests.server.gateway.conftest import ServedGateway

DEADLINE_S = 20.0
OPERATION = "batch_scoring"


@pytest.fixture
def link(settings: Settings) -> Iterator[Link]:
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    yield link
    link.close()


def start(http: httpx.Client, key: str | None = None, **asked: Any) -> httpx.Response:
    return http.post("/v1/jobs", json={"job_type": OPERATION} | asked, headers={} if key is None else {"Idempotency-Key": key})


def client_of(gateway: ServedGateway, token: str) -> httpx.Client:
    return httpx.Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}, timeout=DEADLINE_S)


def only(link: Link) -> Holder:
    (holder,) = held(link)
    return holder


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def test_a_second_start_is_told_the_holder_and_its_age(http: httpx.Client) -> None:
    first = start(http, stream=1).json()

    refused = start(http, stream=1)

    assert refused.status_code == 409
    told = refused.json()
    assert (told["code"], told["run_id"]) == ("already-running", first["run_id"])
    assert 0 <= told["age_s"] < DEADLINE_S
    assert start(http, stream=2).status_code == 202
    assert start(http).status_code == 202
    assert start(http, client_id="Jane").status_code == 202
    assert start(http, stream=1, exclusive=False).status_code == 202


def test_of_many_starts_at_once_exactly_one_wins(served: ServedGateway, settings: Settings, token: str) -> None:
    with (
        ServedGateway(settings) as other,
        client_of(served, token) as here,
        client_of(other, token) as there,
        ThreadPoolExecutor(12) as pool,
    ):
        answers = list(pool.map(lambda n: start((here, there)[n % 2]), range(12)))

    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 11
    (won,) = [answer.json()["run_id"] for answer in answers if answer.status_code == 202]
    assert {answer.json()["run_id"] for answer in answers} == {won}


def test_repeats_of_one_start_at_once_are_one_job(served: ServedGateway, settings: Settings, token: str, link: Link) -> None:
    with (
        ServedGateway(settings) as other,
        client_of(served, token) as here,
        client_of(other, token) as there,
        ThreadPoolExecutor(8) as pool,
    ):
        answers = list(pool.map(lambda n: start((here, there)[n % 2], "same"), range(8)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({(answer.json()["run_id"], answer.json()["fence"]) for answer in answers}) == 1
    assert only(link).run_id == answers[0].json()["run_id"]


def test_python_and_http_exclude_each_other(http: httpx.Client, settings: Settings) -> None:
    run = start(http, stream=1).json()["run_id"]
    with pytest.raises(AlreadyRunning) as refused, Exclusive(settings, Scope(OPERATION, 1), run_id="250930-141522"):
        pass
    assert refused.value.run_id == run
    assert http.post(f"/v1/jobs/{run}/complete", json={"success": True}).status_code == 202

    with Exclusive(settings, Scope(OPERATION, 1), run_id="250930-141522"):
        answer = start(http, stream=1)
        assert (answer.status_code, answer.json()["run_id"]) == (409, "250930-141522")
    assert start(http, stream=1).status_code == 202


def test_another_gateway_renews_and_releases_it(make_settings: Callable[..., Settings], redis_url: str, token: str, link: Link) -> None:
    settings = make_settings(redis_url=redis_url, lock_ttl_s=60)
    with ServedGateway(settings) as first, client_of(first, token) as http:
        run = start(http).json()["run_id"]
    left_s = only(link).remaining_s
    until(lambda: only(link).remaining_s < left_s - 0.2)

    with ServedGateway(settings) as second, client_of(second, token) as http:
        assert http.post(f"/v1/jobs/{run}/heartbeat").json()["lock"] == "held"
        assert only(link).remaining_s > left_s - 0.2
        assert start(http).status_code == 409
        assert http.post(f"/v1/jobs/{run}/complete", json={"success": True}).status_code == 202
        assert held(link) == []
        assert http.post(f"/v1/jobs/{run}/heartbeat").json()["lock"] == "none"


def test_events_of_the_run_renew_it(make_settings: Callable[..., Settings], redis_url: str, token: str, link: Link) -> None:
    settings = make_settings(redis_url=redis_url, lock_ttl_s=60)
    with ServedGateway(settings) as gateway, client_of(gateway, token) as http:
        run = start(http).json()["run_id"]
    left_s = only(link).remaining_s
    until(lambda: only(link).remaining_s < left_s - 0.2)
    event = {"specversion": "1.0", "id": "1", "source": "/scorer", "type": "client.metrics.updated", "subject": f"{run}-a"}

    # A gateway that has not heard of the run yet: the one that started it renews at most every 15 s.
    with ServedGateway(settings) as gateway, client_of(gateway, token) as http:
        assert http.post("/v1/events", json=event).status_code == 202
        until(lambda: only(link).remaining_s > left_s - 0.2)


def test_a_job_that_gives_no_sign_loses_it(make_settings: Callable[..., Settings], redis_url: str, token: str) -> None:
    with ServedGateway(make_settings(redis_url=redis_url, lock_ttl_s=0.3)) as gateway, client_of(gateway, token) as http:
        run = start(http).json()["run_id"]
        until(lambda: start(http).status_code == 202)
        assert http.post(f"/v1/jobs/{run}/heartbeat").json()["lock"] == "lost"


def test_a_person_can_release_it(http: httpx.Client, link: Link) -> None:
    run = start(http).json()["run_id"]
    holder = only(link)

    assert (holder.run_id, holder.scope) == (run, Scope(OPERATION))
    assert holder.host == "gateway for test"
    assert release(link, holder)
    assert http.post(f"/v1/jobs/{run}/heartbeat").json()["lock"] == "lost"
    assert start(http).status_code == 202


def test_a_late_repeat_of_a_start_takes_no_lock(http: httpx.Client, link: Link) -> None:
    run = start(http, "nightly").json()["run_id"]
    assert http.post(f"/v1/jobs/{run}/complete", json={"success": True}).status_code == 202

    late = start(http, "nightly")

    assert (late.status_code, late.json()["run_id"], late.json()["repeated"]) == (202, run, True)
    assert held(link) == []


def test_a_refused_start_can_be_tried_again_under_its_key(http: httpx.Client) -> None:
    holder = start(http).json()["run_id"]
    assert start(http, "nightly").status_code == 409
    assert http.post(f"/v1/jobs/{holder}/complete", json={"success": True}).status_code == 202

    answer = start(http, "nightly")

    assert (answer.status_code, answer.json()["repeated"]) == (202, False)


def test_without_redis_nothing_is_started(make_settings: Callable[..., Settings]) -> None:
    with EmbeddedValkey(aof=False) as server:
        settings = make_settings(redis_url=server.url)
        with ServedGateway(settings) as gateway:
            token = _token(settings)
            with client_of(gateway, token) as http:
                assert start(http, exclusive=False).status_code == 202
                server.kill()
                answer = start(http)
    assert (answer.status_code, answer.json()["code"]) == (503, "store-away")
    assert int(answer.headers["retry-after"]) > 0


def _token(settings: Settings) -> str:
    from producers.gateway.access import shelf
    from producers.gateway.access.token import Scope as TokenScope
    from producers.gateway.access.token import make_token

    made = make_token("test", list(TokenScope), clients=[], sources=[], created_ms=time.time_ns() // 1_000_000)
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    try:
        shelf.add(link, made.token)
    finally:
        link.close()
    return made.text
