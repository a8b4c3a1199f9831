"""`@on_job`: a function of the gateway's own does the job, once, and the job completes itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx
import pytest

import producers
from contract.link import Link
from contract.settings import Settings
from producers.exclusive import held
from producers.gateway import handlers
from producers.gateway.handlers import on_job
from producers.runs import Job
from tests.server.gateway.conftest import ServedGateway

DEADLINE_S = 20.0
Folded = Callable[[str], dict[str, Any] | None]


@pytest.fixture(autouse=True)
def _own_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_registered_jobs", {})


@pytest.fixture
def link(settings: Settings) -> Iterator[Link]:
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    yield link
    link.close()


@pytest.fixture
def ended(folded: Folded) -> Callable[[str], dict[str, Any]]:
    """`ended(run)`: the job, once it is no longer running."""

    def wait(run: str) -> dict[str, Any]:
        deadline = time.monotonic() + DEADLINE_S
        while True:
            job = folded(run)
            if job is not None and job["status"] != "Running":
                return job
            assert time.monotonic() < deadline, job
            time.sleep(0.02)

    return wait


def start(http: httpx.Client, key: str | None = None, **asked: Any) -> httpx.Response:
    return http.post("/v1/jobs", json={"job_type": "score"} | asked, headers={} if key is None else {"Idempotency-Key": key})


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def test_a_function_does_the_job_and_its_lock_ends_with_it(http: httpx.Client, link: Link, ended: Callable[[str], dict[str, Any]]) -> None:
    go_on = threading.Event()

    @on_job("score")
    def score(job: Job, parameters: dict[str, Any]) -> None:
        assert go_on.wait(DEADLINE_S)
        for client in parameters["clients"]:
            with job.client(client) as run:
                run.count(leads_processed=2)

    run = start(http, stream=1, parameters={"clients": ["a", "b"]}).json()["run_id"]
    assert start(http, stream=1).status_code == 409
    go_on.set()

    job = ended(run)
    assert (job["status"], job["stream"], job["metrics"]) == ("Completed", 1, {"Leads Processed": 4})
    until(lambda: held(link) == [])


def test_a_coroutine_does_it_as_well_and_the_clients_run_is_current(http: httpx.Client, ended: Callable[[str], dict[str, Any]]) -> None:
    @on_job("score")
    async def score(job: Job, parameters: dict[str, Any]) -> None:
        producers.current_run().count(leads_processed=3)

    job = ended(start(http, client_id="Jane", client_name="Jane Doe").json()["run_id"])

    assert [(row["client_id"], row["client_name"], row["status"], row["metrics"]) for row in job["clients"]] == [
        ("Jane", "Jane Doe", "Completed", {"Leads Processed": 3})
    ]


def test_what_it_raises_makes_the_job_failed(http: httpx.Client, link: Link, ended: Callable[[str], dict[str, Any]]) -> None:
    @on_job("score")
    def score(job: Job, parameters: dict[str, Any]) -> None:
        raise ValueError("no such group")

    job = ended(start(http).json()["run_id"])

    assert job["status"] == "Failed"
    assert "ValueError: no such group" in job["notes"]
    until(lambda: held(link) == [])


def test_repeats_of_one_start_at_once_call_it_once(
    served: ServedGateway, settings: Settings, token: str, ended: Callable[[str], Any]
) -> None:
    calls: list[str] = []

    @on_job("score")
    def score(job: Job, parameters: dict[str, Any]) -> None:
        calls.append(job.run_id)

    headers = {"Authorization": f"Bearer {token}"}
    with ServedGateway(settings) as other, ThreadPoolExecutor(8) as pool:
        clients = [httpx.Client(base_url=gateway.url, headers=headers, timeout=DEADLINE_S) for gateway in (served, other)]
        answers = list(pool.map(lambda n: start(clients[n % 2], "nightly"), range(8)))
        run = answers[0].json()["run_id"]
        assert ended(run)["status"] == "Completed"
        assert start(clients[0], "nightly").json()["repeated"] is True
        for client in clients:
            client.close()

    assert sorted(answer.json()["repeated"] for answer in answers) == [False] + [True] * 7
    assert calls == [run]


def test_its_lock_is_renewed_while_it_works(
    make_settings: Callable[..., Settings], redis_url: str, token: str, link: Link, ended: Callable[[str], dict[str, Any]]
) -> None:
    settings = make_settings(redis_url=redis_url, lock_ttl_s=0.6)
    go_on = threading.Event()

    @on_job("score")
    def score(job: Job, parameters: dict[str, Any]) -> None:
        assert go_on.wait(DEADLINE_S)

    with ServedGateway(settings) as gateway, httpx.Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}) as http:
        run = start(http).json()["run_id"]
        until(lambda: held(link)[0].age_s > 1.5)
        assert start(http).json()["run_id"] == run
        go_on.set()
        assert ended(run)["status"] == "Completed"


def test_a_gateway_that_is_stopped_tells_that_its_jobs_are_not_done(
    settings: Settings, token: str, link: Link, ended: Callable[[str], dict[str, Any]]
) -> None:
    never = threading.Event()

    @on_job("score")
    def score(job: Job, parameters: dict[str, Any]) -> None:
        never.wait(DEADLINE_S)

    try:
        with ServedGateway(settings) as gateway, httpx.Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}) as http:
            run = start(http).json()["run_id"]
        job = ended(run)
    finally:
        never.set()

    assert job["status"] == "Failed"
    assert "the gateway was stopped" in job["notes"]
    assert held(link) == []


def test_one_function_a_job_type() -> None:
    @on_job("score")
    def score(job: Job, parameters: dict[str, Any]) -> None: ...

    with pytest.raises(ValueError, match="score"):

        @on_job("score")
        def other(job: Job, parameters: dict[str, Any]) -> None: ...
