"""OpenLineage's own client, unchanged, against the gateway: its runs are jobs and client runs, right in whatever order they arrive."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import error_message_run, output_statistics_output_dataset, parent_run
from openlineage.client.serde import Serde
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpCompression, HttpConfig, HttpTransport

from contract.link import Link
from producers.gateway.access.token import Scope
from tests.server.gateway.conftest import ServedGateway

NAMESPACE = "airflow"
Folded = Callable[[str], dict[str, Any] | None]


def task(name: str, root: str, *, run: str | None = None, namespace: str = NAMESPACE) -> Callable[..., RunEvent]:
    """`task("load", dag_run)(RunState.START, 1)`: the events of one attempt, a second of the day each."""
    parent = parent_run.ParentRunFacet(
        run=parent_run.Run(runId=root),
        job=parent_run.Job(namespace=NAMESPACE, name="nightly"),
        root=parent_run.Root(run=parent_run.RootRun(runId=root), job=parent_run.RootJob(namespace=NAMESPACE, name="nightly")),
    )
    return job(name, run=run, facets={"parent": parent}, namespace=namespace)


def job(name: str, *, run: str | None = None, facets: dict[str, Any] | None = None, namespace: str = NAMESPACE) -> Callable[..., RunEvent]:
    run_id = run or str(uuid4())

    def event(state: RunState, second: int, *, rows: list[int] | None = None, error: str | None = None) -> RunEvent:
        more = dict(facets or {})
        if error is not None:
            more["errorMessage"] = error_message_run.ErrorMessageRunFacet(message=error, programmingLanguage="PYTHON")
        outputs = [
            OutputDataset(
                "db",
                f"t{n}",
                outputFacets={"outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=count)},
            )
            for n, count in enumerate(rows or [])
        ]
        return RunEvent(
            eventType=state,
            eventTime=f"2025-09-30T14:15:{second:02d}.000001Z",
            run=Run(run_id, more),
            job=Job(namespace, name),
            outputs=outputs,
            producer="https://example.com/scheduler",
        )

    return event


@pytest.fixture
def emit(served: ServedGateway, token: str) -> Iterator[Callable[..., None]]:
    """`emit(event, …)` by OpenLineage's client; raises what it raises."""
    client = OpenLineageClient(transport=HttpTransport(HttpConfig(url=served.url, auth=ApiKeyTokenProvider({"api_key": token}))))

    def send(*events: Any) -> None:
        for event in events:
            client.emit(event)

    yield send
    client.close()


@pytest.fixture
def only_job(served: ServedGateway, folded: Folded, token: str) -> Callable[[], dict[str, Any]]:
    """The one job that there is, after the fold."""
    import httpx2 as httpx

    def look() -> dict[str, Any]:
        folded("250930-141501")
        jobs = httpx.get(f"{served.url}/v1/jobs", headers={"Authorization": f"Bearer {token}"}).json()["jobs"]
        assert len(jobs) == 1, jobs
        found = folded(jobs[0]["run_id"])
        assert found is not None
        return found

    return look


def dag() -> list[RunEvent]:
    """A DAG of two tasks; the second fails after 40 rows, and is right at its second attempt."""
    root = str(uuid4())
    whole, extract = job("nightly", run=root), task("nightly.extract", root)
    first, second = task("nightly.load", root), task("nightly.load", root)
    return [
        whole(RunState.START, 1),
        extract(RunState.START, 2),
        extract(RunState.RUNNING, 3, rows=[60]),
        extract(RunState.RUNNING, 4, rows=[80, 10]),
        extract(RunState.COMPLETE, 5, rows=[90, 10]),
        first(RunState.START, 6),
        first(RunState.FAIL, 7, rows=[40], error="deadlock detected"),
        second(RunState.START, 8),
        second(RunState.COMPLETE, 9, rows=[100]),
        whole(RunState.COMPLETE, 10),
    ]


def assert_dag(found: dict[str, Any]) -> None:
    assert (found["status"], found["job_type"]) == ("Completed", "nightly")
    assert found["metrics"] == {"Leads Processed": 200}
    assert (found["start"], found["end"]) == ("2025-09-30T14:15:01.000001Z", "2025-09-30T14:15:10.000001Z")
    assert [(row["client_id"], row["status"], row["metrics"]) for row in found["clients"]] == [
        ("nightly.extract", "Completed", {"Leads Processed": 100}),
        ("nightly.load", "Completed", {"Leads Processed": 100}),
    ]
    assert "deadlock detected" in found["clients"][1]["errors"]


def test_a_dag_with_a_task_that_is_tried_again(emit: Callable[..., None], only_job: Callable[[], dict[str, Any]]) -> None:
    emit(*dag())

    found = only_job()
    assert_dag(found)
    assert found["run_id"].startswith("250930-1415")
    assert found["announced"]
    assert all(row["announced"] for row in found["clients"])


@pytest.mark.parametrize("seed", range(6))
def test_children_before_parents_repeats_and_any_order(
    emit: Callable[..., None], only_job: Callable[[], dict[str, Any]], seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  # any order will do
    events = dag()
    sent = events + chance.sample(events, 5)
    chance.shuffle(sent)

    emit(*sent)

    assert_dag(only_job())


def test_days_late_repeats_change_nothing(emit: Callable[..., None], only_job: Callable[[], dict[str, Any]]) -> None:
    events = dag()
    emit(*events)
    before = only_job()

    emit(*events)

    assert only_job() == before


def test_two_gateways_agree(served: ServedGateway, emit: Callable[..., None], token: str, only_job: Callable[[], dict[str, Any]]) -> None:
    events = dag()
    with ServedGateway(served.settings) as other:
        client = OpenLineageClient(transport=HttpTransport(HttpConfig(url=other.url, auth=ApiKeyTokenProvider({"api_key": token}))))
        for n, event in enumerate(events):
            (client.emit if n % 2 else emit)(event)
        client.close()

    assert_dag(only_job())


def test_gzip(served: ServedGateway, token: str, only_job: Callable[[], dict[str, Any]]) -> None:
    config = HttpConfig(url=served.url, auth=ApiKeyTokenProvider({"api_key": token}), compression=HttpCompression.GZIP)
    client = OpenLineageClient(transport=HttpTransport(config))
    for event in dag():
        client.emit(event)
    client.close()

    assert_dag(only_job())


def test_the_asynchronous_transport(served: ServedGateway, token: str, only_job: Callable[[], dict[str, Any]]) -> None:
    config = {"type": "async_http", "url": served.url, "auth": {"type": "api_key", "apiKey": token}}
    client = OpenLineageClient(config={"transport": config})
    for event in dag():
        client.emit(event)
    assert client.close(20)

    assert_dag(only_job())


def test_all_tasks_fail(emit: Callable[..., None], only_job: Callable[[], dict[str, Any]]) -> None:
    root = str(uuid4())
    whole, load = job("nightly", run=root), task("nightly.load", root)
    emit(whole(RunState.START, 1), load(RunState.START, 2), load(RunState.ABORT, 3), whole(RunState.COMPLETE, 4))

    found = only_job()
    assert (found["status"], found["clients"][0]["status"]) == ("Failed", "Failed")
    assert "Aborted" in found["clients"][0]["notes"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_run_alone_that_counts(emit: Callable[..., None], only_job: Callable[[], dict[str, Any]], order: tuple[int, ...]) -> None:
    alone = job("copy", namespace="team-a")
    events = [alone(RunState.START, 1), alone(RunState.RUNNING, 2, rows=[5]), alone(RunState.COMPLETE, 3)]
    emit(*(events[n] for n in order))

    found = only_job()
    assert (found["status"], found["job_type"], found["metrics"]) == ("Completed", "copy", {"Leads Processed": 5})
    assert [(row["client_id"], row["status"]) for row in found["clients"]] == [("team-a", "Completed")]


def test_a_run_alone_that_fails(emit: Callable[..., None], only_job: Callable[[], dict[str, Any]]) -> None:
    alone = job("copy")
    emit(alone(RunState.START, 1), alone(RunState.FAIL, 2, error="no such table"))

    found = only_job()
    assert (found["status"], found["clients"]) == ("Failed", [])
    assert "no such table" in found["notes"]


def test_an_end_need_not_repeat_the_parent(emit: Callable[..., None], only_job: Callable[[], dict[str, Any]]) -> None:
    root, run = str(uuid4()), str(uuid4())
    emit(
        task("load", root, run=run)(RunState.START, 1),
        job("load", run=run)(RunState.COMPLETE, 2, rows=[7]),
        job("nightly", run=root)(RunState.COMPLETE, 3),
    )

    found = only_job()
    assert (found["status"], found["job_type"]) == ("Completed", "nightly")
    assert [(row["client_id"], row["metrics"]) for row in found["clients"]] == [("load", {"Leads Processed": 7})]


def test_a_grandchild_belongs_to_the_root(emit: Callable[..., None], only_job: Callable[[], dict[str, Any]]) -> None:
    root, middle = str(uuid4()), str(uuid4())
    parent = parent_run.ParentRunFacet(run=parent_run.Run(runId=middle), job=parent_run.Job(namespace=NAMESPACE, name="spark"))
    emit(
        task("spark", root, run=middle)(RunState.START, 1),
        job("spark.stage", facets={"parent": parent}, namespace="spark")(RunState.COMPLETE, 2, rows=[1]),
        task("spark", root, run=middle)(RunState.COMPLETE, 3, rows=[2]),
    )

    assert [row["client_id"] for row in only_job()["clients"]] == ["spark", "spark.stage@spark"]


def three_levels(*, roots: bool) -> dict[str, list[RunEvent]]:
    """A DAG, its task, and what the task started, which tells its root if `roots`, else its parent only. The events of each."""
    dag_run, task_run = str(uuid4()), str(uuid4())
    root = parent_run.Root(run=parent_run.RootRun(runId=dag_run), job=parent_run.RootJob(namespace=NAMESPACE, name="nightly"))
    parent = parent_run.ParentRunFacet(
        run=parent_run.Run(runId=task_run), job=parent_run.Job(namespace=NAMESPACE, name="load"), root=root if roots else None
    )
    whole, middle = job("nightly", run=dag_run), task("load", dag_run, run=task_run)
    lowest = job("stage", facets={"parent": parent})
    return {
        "dag": [whole(RunState.START, 1), whole(RunState.COMPLETE, 6)],
        "task": [middle(RunState.START, 2), middle(RunState.COMPLETE, 5, rows=[2])],
        "stage": [lowest(RunState.START, 3), lowest(RunState.COMPLETE, 4, rows=[1])],
    }


@pytest.mark.parametrize("order", list(permutations(["dag", "task", "stage"])))
@pytest.mark.parametrize("roots", [True, False])
def test_three_levels_in_any_order(
    served: ServedGateway, emit: Callable[..., None], folded: Folded, token: str, order: tuple[str, ...], roots: bool
) -> None:
    import httpx2 as httpx

    events = three_levels(roots=roots)
    emit(*(event for name in order for event in events[name]))

    folded("250930-141501")
    jobs = httpx.get(f"{served.url}/v1/jobs", headers={"Authorization": f"Bearer {token}"}).json()["jobs"]
    found = {each["job_type"]: each for each in map(folded, [listed["run_id"] for listed in jobs]) if each is not None}
    clients = {name: {row["client_id"]: row["metrics"] for row in each["clients"]} for name, each in found.items()}
    assert {each["status"] for each in found.values()} <= {"Completed", "No Leads To Score"}
    if roots or order.index("task") < order.index("stage"):
        assert clients == {"nightly": {"load": {"Leads Processed": 2}, "stage": {"Leads Processed": 1}}}
    else:
        # It was a child of `load`, as far as anybody had told: what is in the log is counted once, and stays where it is.
        assert clients == {"nightly": {}, "load": {NAMESPACE: {"Leads Processed": 2}, "stage": {"Leads Processed": 1}}}


def test_what_is_refused_decides_nothing_about_anothers_run(
    served: ServedGateway, emit: Callable[..., None], new_token: Callable[..., str], only_job: Callable[[], dict[str, Any]], redis_url: str
) -> None:
    import httpx2 as httpx

    root, run, foreign = str(uuid4()), str(uuid4()), str(uuid4())
    headers = {"Authorization": f"Bearer {new_token('ingest', clients=['acme'])}", "Content-Type": "application/json"}
    link = Link(redis_url, name="test")
    link.open()

    def kept() -> list[bytes]:
        return sorted(
            name for pattern in ("rt:named:*", "rt:reserved:*", "rt:lineage:*", "rt:{p*}:log") for name in link.call("KEYS", pattern)
        )

    def refused(path: str, *events: RunEvent) -> None:
        written = [Serde.to_json(event) for event in events]
        body = written[0] if path.endswith("lineage") else f"[{','.join(written)}]"
        before = kept()
        answer = httpx.post(served.url + path, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "client-forbidden")
        assert kept() == before, "nothing is kept of it"

    stolen, own = task("load", foreign, run=run)(RunState.START, 1, rows=[1]), task("acme", foreign)(RunState.START, 1)
    refused("/api/v1/lineage", stolen)
    refused("/api/v1/lineage/batch", own, stolen)
    refused("/api/v1/lineage/batch", own, job("nightly", run=root)(RunState.START, 1, rows=[5]))
    link.close()

    load, whole = task("load", root, run=run), job("nightly", run=root)
    emit(whole(RunState.START, 1), load(RunState.START, 2), load(RunState.COMPLETE, 3, rows=[7]), whole(RunState.COMPLETE, 4))
    found = only_job()
    assert (found["status"], found["job_type"]) == ("Completed", "nightly")
    assert [(row["client_id"], row["metrics"]) for row in found["clients"]] == [("load", {"Leads Processed": 7})]


def test_a_limited_tokens_batch_need_not_repeat_the_parent(
    served: ServedGateway, new_token: Callable[..., str], only_job: Callable[[], dict[str, Any]]
) -> None:
    import httpx2 as httpx

    run = str(uuid4())
    events = [task("acme", str(uuid4()), run=run)(RunState.START, 1), job("acme", run=run)(RunState.COMPLETE, 2, rows=[3])]
    headers = {"Authorization": f"Bearer {new_token('ingest', clients=['acme'])}", "Content-Type": "application/json"}

    answer = httpx.post(f"{served.url}/api/v1/lineage/batch", content=f"[{','.join(map(Serde.to_json, events))}]", headers=headers)

    assert (answer.status_code, answer.json()) == (200, {"accepted": 2, "ignored": 0})
    assert [(row["client_id"], row["status"]) for row in only_job()["clients"]] == [("acme", "Completed")]


def test_a_token_may_be_for_one_namespace_or_one_client(
    served: ServedGateway, new_token: Callable[..., str], only_job: Callable[[], dict[str, Any]]
) -> None:
    import requests

    def status(event: RunEvent, **limits: list[str]) -> int:
        token = new_token(Scope.INGEST, **limits)
        transport = HttpTransport(HttpConfig(url=served.url, auth=ApiKeyTokenProvider({"api_key": token})))
        try:
            return transport.emit(event).status_code
        except requests.HTTPError as error:
            return error.response.status_code
        finally:
            transport.close()

    root = str(uuid4())
    assert status(job("nightly", run=root)(RunState.START, 1), sources=["/openlineage/other"]) == 403
    assert status(job("nightly", run=root)(RunState.START, 1), sources=["/openlineage/airflow"]) == 200
    assert status(task("load", root)(RunState.START, 2), clients=["load"]) == 200
    assert status(task("load", root)(RunState.START, 2), clients=["other"]) == 403
    assert status(job("nightly", run=root)(RunState.COMPLETE, 3), clients=["load"]) == 403
    found = only_job()
    assert (found["status"], [row["client_id"] for row in found["clients"]]) == ("Running", ["load"])
