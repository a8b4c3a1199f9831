"""Several gateways that get events of one OpenLineage run in the same instant: the later event's totals stand."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx2 as httpx
import pytest

from contract.link import Command, Link
from dashboard import StoredJobs
from tests.server.folding import fold_everything
from tests.server.gateway.conftest import DEADLINE_S, ServedGateway

Emit = Callable[..., None]


@pytest.fixture
def other(served: ServedGateway) -> Iterator[ServedGateway]:
    with ServedGateway(served.settings) as gateway:
        yield gateway


def lineage(run: str, second: int, rows: int, *, root: str | None = None, kind: str = "RUNNING") -> dict[str, Any]:
    """What a run tells at a second of the day; with a root, a task of it."""
    parent = {"run": {"runId": root}, "job": {"namespace": "airflow", "name": "nightly"}}
    return {
        "eventType": kind,
        "eventTime": f"2025-09-30T14:15:{second:02d}Z",
        "run": {"runId": run, "facets": {} if root is None else {"parent": parent}},
        "job": {"namespace": "airflow", "name": "load"},
        "outputs": [{"namespace": "db", "name": "t", "outputFacets": {"outputStatistics": {"rowCount": rows}}}],
    }


@pytest.fixture
def post(token: str) -> Callable[[ServedGateway, Any], None]:
    def send(gateway: ServedGateway, sent: Any) -> None:
        path = "/api/v1/lineage/batch" if isinstance(sent, list) else "/api/v1/lineage"
        answer = httpx.post(gateway.url + path, json=sent, headers={"Authorization": f"Bearer {token}"}, timeout=DEADLINE_S)
        assert answer.status_code == 200, answer.text

    return send


@pytest.fixture
def leads(served: ServedGateway) -> Callable[[], list[Any]]:
    """The leads of each client run of the one job, after the fold."""

    def look() -> list[Any]:
        fold_everything(served.settings)
        jobs = StoredJobs(served.settings)
        try:
            [found] = jobs.latest(2, [])
            job = jobs.job(found["run_id"])
        finally:
            jobs.close()
        assert job is not None
        return [client["metrics"].get("Leads Processed") for client in job["clients"]]

    return look


class Held:
    """Holds back whatever is about to be sent to Redis with `marked` in it, until `let_go` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, marked: bytes) -> None:
        self.came, self.let_go = threading.Event(), threading.Event()
        send = Link.pipeline

        def pipeline(link: Link, commands: Sequence[Command]) -> list[Any]:
            if any(isinstance(part, bytes) and marked in part for command in commands for part in command):
                self.came.set()
                assert self.let_go.wait(DEADLINE_S)
            return send(link, commands)

        monkeypatch.setattr(Link, "pipeline", pipeline)


@pytest.mark.parametrize("of_a_root", [True, False])
def test_an_earlier_event_that_is_overtaken_on_its_way_into_the_log_changes_no_total(
    served: ServedGateway,
    other: ServedGateway,
    post: Callable[[ServedGateway, Any], None],
    leads: Callable[[], list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    of_a_root: bool,
) -> None:
    run, root = str(uuid4()), str(uuid4()) if of_a_root else None
    post(served, lineage(run, 1, 5, root=root))
    held = Held(monkeypatch, b'"Leads Processed":11')

    with ThreadPoolExecutor(1) as beside:
        earlier = beside.submit(post, served, lineage(run, 2, 11, root=root))
        assert held.came.wait(DEADLINE_S)
        post(other, lineage(run, 3, 22, root=root))
        held.let_go.set()
        earlier.result(DEADLINE_S)

    assert leads() == [22]
    assert served.counters["lineage_totals_outdated"] == 1


@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_at_once_to_two_gateways_the_latest_stands(
    served: ServedGateway, other: ServedGateway, post: Callable[[ServedGateway, Any], None], leads: Callable[[], list[Any]], seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  # any order will do
    run, root = str(uuid4()), str(uuid4())
    told = [lineage(run, second, second * 10, root=root) for second in range(1, 40)]
    sent: list[Any] = [*told, *chance.sample(told, 10), told[-10:], chance.sample(told, 20)]
    chance.shuffle(sent)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(post, chance.choice((served, other)), one) for one in sent]:
            done.result(DEADLINE_S)

    assert leads() == [390]
