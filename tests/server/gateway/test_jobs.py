"""`/v1/jobs`: started once under one name, seen at once, completed once, corrected when told otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest
import structlog

from contract import keys
from contract.link import Link
from contract.settings import Settings

RUN = "250930-141522"
Folded = Callable[[str], dict[str, Any] | None]


def start(http: httpx.Client, key: str | None = None, **asked: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return http.post("/v1/jobs", json={"job_type": "batch_scoring"} | asked, headers=headers)


def count(http: httpx.Client, run: str, client: str, leads: int) -> None:
    event = {
        "specversion": "1.0",
        "id": f"{run} {client}",
        "source": "/scorer",
        "type": "client.run.completed",
        "subject": f"{run}-{client}",
        "time": "2025-09-30T14:15:22Z",
        "data": {"success": True, "totals": {"leads_processed": leads, "apify_api_costs": "0.10"}},
    }
    assert http.post("/v1/events", json=event).status_code == 202


def test_a_job_is_started_seen_at_once_and_completed(http: httpx.Client, folded: Folded) -> None:
    answer = start(http, stream=3, notes="by the CRM")

    assert answer.status_code == 202
    run = answer.json()["run_id"]
    assert re.fullmatch(r"\d{6}-\d{6}", run)
    assert answer.headers["location"] == f"/v1/jobs/{run}"
    seen = http.get(answer.headers["location"]).json()
    assert (seen["status"], seen["job_type"], seen["stream"], seen["clients"]) == ("Running", "batch_scoring", 3, [])
    count(http, run, "a", 2**53 + 1)
    count(http, run, "b", 1)
    assert http.post(f"/v1/jobs/{run}/complete", json={"success": True, "notes": "all done"}).status_code == 202
    assert folded(run) is not None
    job = http.get(f"/v1/jobs/{run}").json()
    assert job["status"] == "Completed"
    assert job["metrics"] == {"Leads Processed": 2**53 + 2, "Apify API Costs": "0.20"}
    assert [row["client_id"] for row in job["clients"]] == ["a", "b"]
    assert "by the CRM" in job["notes"]
    assert "all done" in job["notes"]


def test_without_a_key_each_start_is_a_job_of_its_own(http: httpx.Client) -> None:
    runs = {start(http, exclusive=False).json()["run_id"] for _ in range(5)}

    assert len(runs) == 5


def test_a_start_repeated_under_its_key_is_one_job(http: httpx.Client, folded: Folded) -> None:
    first, *again = [start(http, "nightly-1") for _ in range(4)]

    assert first.json()["repeated"] is False
    assert {answer.status_code for answer in again} == {202}
    assert {(answer.json()["run_id"], answer.json()["fence"], answer.json()["repeated"]) for answer in again} == {
        (first.json()["run_id"], first.json()["fence"], True)
    }
    job = folded(first.json()["run_id"])
    assert job is not None
    assert job["events"] == 1
    assert len(http.get("/v1/jobs").json()["jobs"]) == 1


def test_a_key_belongs_to_its_token(served: Any, http: httpx.Client, new_token: Callable[..., str]) -> None:
    ours = start(http, "1", exclusive=False).json()["run_id"]
    with httpx.Client(base_url=served.url, headers={"Authorization": f"Bearer {new_token('operate')}"}) as other:
        theirs = start(other, "1", exclusive=False).json()["run_id"]

    assert ours != theirs


def test_a_key_or_run_id_used_for_another_start_is_refused(http: httpx.Client) -> None:
    assert start(http, "1").status_code == 202
    assert start(http, run_id=RUN, job_type="post_scoring").status_code == 202

    for answer in (start(http, "1", stream=4), start(http, run_id=RUN, job_type="harvest")):
        assert (answer.status_code, answer.json()["code"]) == (422, "key-reused")


def test_a_run_id_in_any_known_format_can_be_given_and_looked_up(http: httpx.Client, folded: Folded) -> None:
    legacy = "job_post_scoring_stream1_20250930141522"

    assert start(http, run_id=legacy).json()["run_id"] == RUN
    assert http.get(f"/v1/jobs/{legacy}").json()["run_id"] == RUN
    assert http.post(f"/v1/jobs/{legacy}/complete", json={"status": "Timed out"}).status_code == 202
    job = folded(RUN)
    assert job is not None
    assert job["status"] == "Failed"
    assert http.get(f"/v1/jobs/{legacy}").json()["status"] == "Failed"


def test_a_job_for_one_client_announces_its_run(http: httpx.Client, folded: Folded) -> None:
    run = start(http, client_id="Jane-Doe", client_name="Jane Doe").json()["run_id"]

    job = folded(run)
    assert job is not None
    assert [(row["run_id"], row["client_name"], row["status"]) for row in job["clients"]] == [(f"{run}-Jane-Doe", "Jane Doe", "Running")]


def test_an_outcome_counts_once_and_another_one_corrects_it(http: httpx.Client, folded: Folded) -> None:
    start(http, run_id=RUN)

    def told(*outcomes: bool) -> tuple[str, int]:
        for success in outcomes:
            assert http.post(f"/v1/jobs/{RUN}/complete", json={"success": success}).status_code == 202
        job = folded(RUN)
        assert job is not None
        return job["status"], job["events"]

    assert told(False, False, False) == ("Failed", 2)
    assert told(True, True) == ("Completed", 3)
    assert told(False) == ("Failed", 4)


def test_a_heartbeat_keeps_a_job_from_being_silent(http: httpx.Client, folded: Folded, settings: Settings) -> None:
    run = start(http, exclusive=False).json()["run_id"]
    assert folded(run) is not None
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    try:
        open_rows = keys.open_rows(keys.partition_of(run, settings.partitions))
        before = float(link.call("ZSCORE", open_rows, run))

        answer = http.post(f"/v1/jobs/{run}/heartbeat")

        assert (answer.status_code, answer.json()) == (202, {"run_id": run, "lock": "none"})
        assert folded(run) is not None
        assert float(link.call("ZSCORE", open_rows, run)) > before
    finally:
        link.close()


def test_the_list_is_newest_first_and_by_status(http: httpx.Client, folded: Folded) -> None:
    runs = [start(http, exclusive=False).json()["run_id"] for _ in range(3)]
    for run in runs:
        assert folded(run) is not None
    assert http.post(f"/v1/jobs/{runs[0]}/complete", json={"success": False}).status_code == 202
    assert folded(runs[0]) is not None

    assert http.get("/v1/jobs").json()["jobs"][0]["run_id"] == runs[0]
    assert [job["run_id"] for job in http.get("/v1/jobs", params={"status": "error"}).json()["jobs"]] == [runs[0]]
    assert [job["run_id"] for job in http.get("/v1/jobs", params={"status": "Running", "limit": 1}).json()["jobs"]] == [runs[2]]
    assert http.get("/v1/jobs", params={"status": "Maybe"}).json()["errors"][0]["where"] == "status"
    assert http.get("/v1/jobs", params={"limit": 0}).status_code == 422


def test_what_nobody_announced_is_not_found(http: httpx.Client) -> None:
    assert http.get(f"/v1/jobs/{RUN}").status_code == 404
    assert http.get("/v1/jobs/UNKNOWN").status_code == 422


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({}, "job_type"),
        ({"job_type": 7}, "job_type"),
        ({"job_type": " "}, "job_type"),
        ({"job_type": "a\nb"}, "job_type"),
        ({"job_type": "a", "stream": "3"}, "stream"),
        ({"job_type": "a", "stream": True}, "stream"),
        ({"job_type": "a", "stream": 2**70}, "stream"),
        ({"job_type": "a", "client_id": ""}, "client_id"),
        ({"job_type": "a", "client_id": ["x"]}, "client_id"),
        ({"job_type": "a", "run_id": "UNKNOWN"}, "run_id"),
        ({"job_type": "a", "run_id": f"{RUN}-Jane"}, "run_id"),
        ({"job_type": "a", "exclusive": "yes"}, "exclusive"),
        ([], "the body"),
    ],
)
def test_a_wrong_start_is_refused_by_the_name_of_the_field(http: httpx.Client, asked: Any, where: str) -> None:
    answer = http.post("/v1/jobs", json=asked)

    assert answer.status_code == 422
    assert [error["where"] for error in answer.json()["errors"]] == [where]
    assert http.get("/v1/jobs").json() == {"jobs": []}


@pytest.mark.parametrize(
    ("asked", "where"), [({}, "success"), ({"success": 1}, "success"), ({"status": "Maybe"}, "status"), ({"status": "Running"}, "status")]
)
def test_a_wrong_outcome_is_refused_by_the_name_of_the_field(http: httpx.Client, asked: Any, where: str) -> None:
    answer = http.post(f"/v1/jobs/{RUN}/complete", json=asked)

    assert answer.status_code == 422
    assert [error["where"] for error in answer.json()["errors"]] == [where]


def test_half_a_surrogate_pair_and_other_content_types_are_refused(http: httpx.Client) -> None:
    as_json = {"Content-Type": "application/json"}

    assert http.post("/v1/jobs", content=rb'{"job_type":"a","notes":"\ud800"}', headers=as_json).status_code == 422
    assert http.post("/v1/jobs", content=b"job_type=a", headers={"Content-Type": "application/x-www-form-urlencoded"}).status_code == 415
    assert http.post("/v1/jobs", content=b" " * 2_000_000, headers=as_json).status_code == 413


def test_a_limited_token_sees_its_clients_and_nothing_made_from_others(
    served: Any, http: httpx.Client, new_token: Callable[..., str], folded: Folded
) -> None:
    start(http, run_id=RUN, stream=2)
    count(http, RUN, "a", 3)
    count(http, RUN, "b", 4)
    assert folded(RUN) is not None

    def limited(client: str) -> httpx.Client:
        token = new_token("read", "operate", clients=[client])
        return httpx.Client(base_url=served.url, headers={"Authorization": f"Bearer {token}"})

    with limited("a") as own:
        job = own.get(f"/v1/jobs/{RUN}").json()
        assert set(job) == {"run_id", "job_type", "stream", "clients"}
        assert [(row["client_id"], row["metrics"]["Leads Processed"]) for row in job["clients"]] == [("a", 3)]
        assert own.get(f"/v1/jobs/{RUN}-b").status_code == 404
        assert own.get("/v1/jobs").status_code == 403
        assert own.post("/v1/jobs", json={"job_type": "x", "client_id": "a"}).status_code == 403
        assert own.post(f"/v1/jobs/{RUN}/complete", json={"success": True}).status_code == 403
    with limited("c") as nobody:
        assert nobody.get(f"/v1/jobs/{RUN}").status_code == 404


@pytest.mark.parametrize(("scope", "allowed"), [("ingest", set()), ("read", {"GET"}), ("operate", {"POST"})])
def test_each_scope_allows_its_own(served: Any, new_token: Callable[..., str], scope: str, allowed: set[str]) -> None:
    headers = {"Authorization": f"Bearer {new_token(scope)}"}

    for method, path in (
        ("POST", "/v1/jobs"),
        ("POST", f"/v1/jobs/{RUN}/complete"),
        ("POST", f"/v1/jobs/{RUN}/heartbeat"),
        ("GET", "/v1/jobs"),
    ):
        answer = httpx.request(method, served.url + path, headers=headers, json={} if method == "POST" else None)
        assert (answer.status_code != 403) is (method in allowed), (method, path, answer.text)


def test_each_request_is_a_log_line_and_a_count(served: Any, http: httpx.Client) -> None:
    with structlog.testing.capture_logs() as lines:
        run = start(http, client_id="Jane").json()["run_id"]
        start(http, job_type=7)

    told = [line for line in lines if line["event"] == "request"]
    assert [(line["operation"], line["outcome"], line["event_type"]) for line in told] == [
        ("start_job", "accepted", "job.started"),
        ("start_job", "field-refused", "job.started"),
    ]
    assert (told[0]["run_id"], told[0]["client_id"], told[0]["caller"]) == (run, "Jane", "test")
    assert told[0]["duration_ms"] >= 0
    assert (served.counters["start_job_accepted"], served.counters["start_job_refused"]) == (1, 1)


@pytest.mark.parametrize(("sources", "allowed"), [(["/crm"], False), (["/crm", "/gateway/jobs"], True), (["/gateway"], True)])
def test_a_token_limited_to_sources_writes_as_the_routes_source_only(
    served: Any, http: httpx.Client, new_token: Callable[..., str], folded: Folded, sources: list[str], allowed: bool
) -> None:
    start(http, run_id=RUN)
    headers = {"Authorization": f"Bearer {new_token('ingest', 'read', 'operate', sources=sources)}"}

    for path, asked in (
        ("", {"job_type": "x", "stream": 2}),
        (f"/{RUN}/heartbeat", None),
        (f"/{RUN}/clients/acme/metrics", {"totals": {"leads_processed": 1}}),
        (f"/{RUN}/clients/acme/complete", {"success": True}),
        (f"/{RUN}/complete", {"success": True}),
    ):
        answer = httpx.post(f"{served.url}/v1/jobs{path}", headers=headers, json=asked)
        assert (answer.status_code, answer.json().get("code")) == ((202, None) if allowed else (403, "source-forbidden")), path
    assert httpx.get(f"{served.url}/v1/jobs/{RUN}", headers=headers).status_code == 200
    job = folded(RUN)
    assert job is not None
    assert (job["status"], len(job["clients"])) == (("Completed", 1) if allowed else ("Running", 0))
