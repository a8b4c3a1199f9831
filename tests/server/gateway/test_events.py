"""`POST /v1/events`: what was answered 202 is in the log, and counts once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest

RUN = "250930-141522"
Folded = Callable[[str], dict[str, Any] | None]


def event(number: int = 1, client: str | None = "a", **changed: Any) -> dict[str, Any]:
    subject = RUN if client is None else f"{RUN}-{client}"
    return {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "/crm/leads",
        "type": "client.metrics.updated",
        "subject": subject,
        "time": "2025-09-30T14:15:22Z",
        "data": {"metrics": {"leads_processed": 1}},
    } | changed


def test_an_event_sent_eleven_times_counts_once(http: httpx.Client, folded: Folded) -> None:
    answers = [http.post("/v1/events", json=event(), headers={"Content-Type": "application/cloudevents+json"}) for _ in range(11)]

    assert {(answer.status_code, answer.text) for answer in answers} == {(202, '{"accepted":1}')}
    job = folded(RUN)
    assert job is not None
    assert job["metrics"] == {"Leads Processed": 1}
    assert job["clients"][0]["run_id"] == f"{RUN}-a"


def test_a_batch_tells_which_events_cannot_be_used_and_the_others_count(http: httpx.Client, folded: Folded) -> None:
    batch = [event(1), event(2, type="client.run.expired"), 7, event(3, subject="nonsense"), event(4, data={"status": "Maybe"}), event(5)]

    answer = http.post("/v1/events", content=json.dumps(batch), headers={"Content-Type": "application/cloudevents-batch+json"})

    assert answer.status_code == 422
    told = answer.json()
    assert told["accepted"] == 2
    assert [(error["index"], error.get("id")) for error in told["errors"]] == [(1, "e2"), (2, None), (3, "e3"), (4, "e4")]
    job = folded(RUN)
    assert job is not None
    assert job["metrics"] == {"Leads Processed": 2}


def test_binary_mode(http: httpx.Client, folded: Folded) -> None:
    attributes = {f"ce-{name}": value for name, value in event().items() if name != "data"}

    answer = http.post(
        "/v1/events", content=b'{"metrics":{"leads_processed":3}}', headers=attributes | {"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.text) == (202, '{"accepted":1}')
    job = folded(RUN)
    assert job is not None
    assert job["metrics"] == {"Leads Processed": 3}


def test_a_subject_in_a_legacy_format_is_brought_into_standard_form(http: httpx.Client, folded: Folded) -> None:
    legacy = "job_post_scoring_stream1_20250930141522"
    sent = event(subject=legacy, type="job.started", data={"job_type": "post_scoring", "run_id": legacy}, sequence="7")

    assert http.post("/v1/events", json=sent).status_code == 202

    job = folded(RUN)
    assert job is not None
    assert job["job_type"] == "post_scoring"


def test_a_fault_of_the_gateway_is_told_as_a_problem(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("producers.gateway.events.route.plain_entry", broken)
        headers = {"Content-Type": "application/cloudevents+json", "Connection": "close"}
        answer = http.post("/v1/events", json=event(), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (500, "unexpected")
    assert answer.headers["content-type"] == "application/problem+json"
    assert http.post("/v1/events", json=event()).status_code == 202


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer rt_000000000000_x", "Basic eDp5", "Bearer \u00e4".encode().decode("latin-1")]
)
def test_without_a_good_token_nothing_is_taken(served: Any, authorization: str) -> None:
    answer = httpx.post(f"{served.url}/v1/events", json=event(), headers={"Authorization": authorization.encode("latin-1")})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


def test_one_clients_token_writes_no_other_clients_row(served: Any, new_token: Callable[..., str], folded: Folded) -> None:
    headers = {"Authorization": f"Bearer {new_token('ingest', clients=['a'], sources=['/crm'])}"}

    def status(sent: Any) -> int:
        return httpx.post(f"{served.url}/v1/events", json=sent, headers=headers).status_code

    assert status(event(1)) == 202
    assert status(event(2, client="b")) == 403
    assert status([event(3), event(4, client="b")]) == 403
    assert status(event(5, client=None, type="job.started", data={})) == 403
    assert status(event(6, source="/crmother")) == 403
    job = folded(RUN)
    assert job is not None
    assert job["metrics"] == {"Leads Processed": 1}
