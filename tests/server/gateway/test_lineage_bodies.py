"""What comes as lineage and is not what it should be: refused by name, bounded, or taken and not used."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from openlineage.client.event_v2 import DatasetEvent, JobEvent, StaticDataset
from openlineage.client.event_v2 import Job as LineageJob
from openlineage.client.serde import Serde

from contract.errors import SettingsInvalid
from contract.settings import Settings
from dashboard import StoredJobs
from producers.gateway import create_gateway
from tests.server.gateway.conftest import ServedGateway

PATH = "/api/v1/lineage"
JSON = {"Content-Type": "application/json"}
Folded = Callable[[str], dict[str, Any] | None]


def run_event(run_id: str = "r1", **changed: Any) -> dict[str, Any]:
    whole = {
        "eventType": "COMPLETE",
        "eventTime": "2025-09-30T14:15:22Z",
        "run": {"runId": run_id},
        "job": {"namespace": "ns", "name": "copy"},
    }
    return whole | {"producer": "https://example.com", "schemaURL": "https://openlineage.io"} | changed


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"eventType": "DONE"}, "eventType"),
        ({"eventTime": "yesterday"}, "eventTime"),
        ({"eventTime": 7}, "eventTime"),
        ({"run": {}}, "run.runId"),
        ({"run": {"runId": ""}}, "run.runId"),
        ({"run": {"runId": "r", "facets": {"parent": {"run": {"runId": 7}}}}}, "run.facets.parent.run.runId"),
        ({"run": {"runId": "r", "facets": {"errorMessage": {"message": ["x"]}}}}, "run.facets.errorMessage.message"),
        ({"job": {"namespace": "ns"}}, "job.name"),
        ({"outputs": {}}, "outputs"),
        ({"outputs": [7]}, "outputs[0]"),
    ],
)
def test_a_wrong_member_is_refused_by_its_name(http: httpx.Client, changed: dict[str, Any], where: str) -> None:
    answer = http.post(PATH, json=run_event(**changed))

    assert answer.status_code == 422
    assert [error["where"].rstrip(".") for error in answer.json()["errors"]] == [where]


@pytest.mark.parametrize("body", [b"[]", b"7", b"{}", b"{", b'{"run":{}}', b'{"a":"\\ud800"}', b"[" * 100_000])
def test_what_is_no_event_is_refused(http: httpx.Client, body: bytes) -> None:
    assert http.post(PATH, content=body, headers=JSON).status_code == 422


def test_events_of_datasets_and_jobs_are_taken_and_not_used(served: ServedGateway, http: httpx.Client) -> None:
    at = "2025-09-30T14:15:22Z"
    for event in (DatasetEvent(eventTime=at, dataset=StaticDataset("db", "t")), JobEvent(eventTime=at, job=LineageJob("ns", "copy"))):
        answer = http.post(PATH, content=Serde.to_json(event), headers=JSON)
        assert (answer.status_code, answer.json()) == (200, {"accepted": 0, "ignored": 1})

    assert served.counters["lineage_ignored"] == 2
    assert http.get("/v1/jobs").json() == {"jobs": []}


def test_a_batch_tells_which_events_cannot_be_used_and_the_others_count(http: httpx.Client, folded: Folded) -> None:
    answer = http.post(f"{PATH}/batch", json=[run_event("r1"), run_event("r2", eventType="DONE"), 7, {"job": {}}, run_event("r3")])

    assert answer.status_code == 422
    told = answer.json()
    assert told["accepted"] == 2
    assert [(error["index"], error["where"]) for error in told["errors"]] == [(1, "eventType"), (2, "the body")]
    folded("250930-141522")
    assert [job["status"] for job in http.get("/v1/jobs").json()["jobs"]] == ["Completed", "Completed"]
    assert http.post(f"{PATH}/batch", json=[run_event("r1")]).json() == {"accepted": 1, "ignored": 0}
    assert http.post(f"{PATH}/batch", json=run_event()).status_code == 422
    assert http.post(f"{PATH}/batch", json=[run_event()] * 1_001).status_code == 413


def test_a_gzip_is_bounded_and_whole(http: httpx.Client) -> None:
    zipped = JSON | {"Content-Encoding": "gzip"}
    whole = gzip.compress(json.dumps(run_event()).encode())

    assert http.post(PATH, content=whole, headers=zipped).status_code == 200
    assert http.post(PATH, content=gzip.compress(b" " * 50_000_000), headers=zipped).status_code == 413
    for broken in (whole[:-9], whole + b"more", whole + whole, b"no gzip", b""):
        assert http.post(PATH, content=broken, headers=zipped).json()["code"] == "gzip-refused"
    assert http.post(PATH, content=whole, headers=JSON | {"Content-Encoding": "br"}).status_code == 415
    assert http.post(PATH, content=whole, headers={"Content-Encoding": "gzip", "Content-Type": "text/plain"}).status_code == 415


def test_it_takes_the_scope_ingest(served: ServedGateway, new_token: Callable[..., str]) -> None:
    for scope, status in (("ingest", 200), ("operate", 403), ("read", 403)):
        answer = httpx.post(served.url + PATH, json=run_event(), headers={"Authorization": f"Bearer {new_token(scope)}"})
        assert answer.status_code == status


def test_a_value_that_is_none_is_set_aside_with_a_note(http: httpx.Client, folded: Folded) -> None:
    outputs = [{"outputFacets": {"outputStatistics": {"rowCount": count}}} for count in (5, "many")]
    parent = {"run": {"runId": "root"}, "job": {"namespace": "ns", "name": "nightly"}}
    sent = run_event(run={"runId": "r1", "facets": {"parent": parent}}, outputs=outputs)

    assert http.post(PATH, json=sent).status_code == 200

    folded("250930-141522")
    job = folded(http.get("/v1/jobs").json()["jobs"][0]["run_id"])
    assert job is not None
    assert "Leads Processed is no number: 'many'" in job["clients"][0]["notes"].replace("Leads Processed: ", "Leads Processed ")
    assert job["metrics"] == {}


def test_a_file_says_what_becomes_metrics_and_clients(
    make_settings: Callable[..., Settings], redis_url: str, token: str, tmp_path: Path, folded: Folded
) -> None:
    file = tmp_path / "lineage.toml"
    file.write_text(
        """
        client = ["job.name", "run.facets.airflow.taskInstance.map_index"]
        [totals]
        posts_processed = ["inputs.inputFacets.inputStatistics.rowCount", "run.facets.more.posts"]
        "Apify API Costs" = "run.facets.more.cost"
        [complete]
        "Leads Processed" = 1
        """
    )
    parent = {"run": {"runId": "root"}, "job": {"namespace": "ns", "name": "nightly"}}
    inputs = [{"inputFacets": {"inputStatistics": {"rowCount": count}}} for count in (3, 4)]

    def mapped(number: int) -> dict[str, Any]:
        more = {"posts": "1,000", "cost": "0.10"}
        facets = {"parent": parent, "airflow": {"taskInstance": {"map_index": number}}, "more": more}
        return run_event(run={"runId": f"r{number}", "facets": facets}, inputs=inputs)

    settings = make_settings(redis_url=redis_url, lineage_file=file)
    with ServedGateway(settings) as gateway, httpx.Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}) as http:
        for number in (0, 1):
            assert http.post(PATH, json=mapped(number)).status_code == 200
        folded("250930-141522")
        job = folded(http.get("/v1/jobs").json()["jobs"][0]["run_id"])
    assert job is not None
    assert [row["client_id"] for row in job["clients"]] == ["copy#0", "copy#1"]
    assert job["metrics"] == {"Posts Processed": 2_014, "Apify API Costs": "0.20", "Leads Processed": 2}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[totals]\nNonsense = 'a.b'", "'Nonsense'"),
        ("[totals]\nerrors = 7", "totals.errors"),
        ("[totals]\nerrors = 'a..b'", "totals.errors"),
        ("[complete]\nerrors = -1", "Errors"),
        ("totals = 7", "totals"),
        ("client = []", "client"),
        ("[total]\n", "total"),
        ("[", "cannot be read"),
        ("x = " + "[" * 100_000, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start(make_settings: Callable[..., Settings], tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "lineage.toml"
    file.write_text(text)
    settings = make_settings(lineage_file=file)

    with pytest.raises(SettingsInvalid, match=r"RUNTALLY_LINEAGE_FILE: .*lineage\.toml") as refused:
        create_gateway(settings, StoredJobs(settings))
    assert told.lower() in str(refused.value).lower()
