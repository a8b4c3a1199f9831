"""Whatever is sent: a 4xx that names the fault, and the next request is served."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest

from tests.server.gateway.hostile import EVENT, NO_EVENTS, NO_JSON, Hostile

STRUCTURED = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
PLAIN = {"Content-Type": "application/json"}
BINARY = {f"ce-{name}": value for name, value in EVENT.items() if name not in ("data", "time")} | PLAIN


def is_refused(answer: httpx.Response, hostile: Hostile) -> dict[str, Any]:
    told: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, told["status"], told["code"]) == (hostile.status, hostile.status, hostile.code), told
    assert hostile.detail in told["detail"]
    assert len(answer.content) < 20_000
    return told


def is_served(http: httpx.Client) -> None:
    assert http.post("/v1/events", json=EVENT, headers=STRUCTURED).status_code == 202


@pytest.mark.parametrize("hostile", [*NO_JSON, *NO_EVENTS], ids=lambda hostile: hostile.name)
def test_a_hostile_body_of_events(hostile: Hostile, http: httpx.Client) -> None:
    is_refused(http.post("/v1/events", content=hostile.body, headers=PLAIN), hostile)
    if not hostile.body.startswith(b"[") or hostile in NO_JSON:
        is_refused(http.post("/v1/events", content=hostile.body, headers=STRUCTURED), hostile)
    is_served(http)


@pytest.mark.parametrize("hostile", NO_JSON, ids=lambda hostile: hostile.name)
def test_a_hostile_batch_and_hostile_data_of_an_event_in_binary_mode(hostile: Hostile, http: httpx.Client) -> None:
    is_refused(http.post("/v1/events", content=hostile.body, headers=BATCH), hostile)
    if hostile.body:
        is_refused(http.post("/v1/events", content=hostile.body, headers=BINARY), hostile)
    is_served(http)


@pytest.mark.parametrize("hostile", [one for one in NO_EVENTS if one.status == 422], ids=lambda hostile: hostile.name)
def test_a_hostile_event_costs_no_neighbour(hostile: Hostile, http: httpx.Client, folded: Callable[[str], Any]) -> None:
    good = json.dumps(EVENT).encode()

    answer = http.post("/v1/events", content=b"[%b, %b]" % (hostile.body, good), headers=BATCH)

    told = is_refused(answer, hostile._replace(detail="1 of 2 events"))
    (error,) = told["errors"]
    assert (told["accepted"], error["index"]) == (1, 0)
    assert hostile.detail in error["reason"]
    assert folded("250930-141522")["metrics"] == {"Leads Processed": 1}


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 415, "content-type-unknown"),
        ({"Content-Type": "text/plain"}, 415, "content-type-unknown"),
        ({"Content-Type": "application/cloudevents+xml"}, 415, "content-type-unknown"),
        ({"Content-Type": "\xe4" * 1_000}, 415, "content-type-unknown"),
        (STRUCTURED | {"Content-Encoding": "gzip"}, 415, "content-encoding-unknown"),
        (BINARY | {"Content-Type": "text/xml"}, 415, "content-type-unknown"),
        (BINARY | {"ce-data": "{}"}, 422, "json-refused"),
        (BINARY | {"ce-id": "%ff"}, 422, "json-refused"),
        (BINARY | {"ce-time": "today"}, 422, "events-refused"),
        (BINARY | {"ce-specversion": "9"}, 422, "events-refused"),
    ],
)
def test_hostile_headers(headers: dict[str, str], status: int, code: str, http: httpx.Client) -> None:
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = http.post("/v1/events", content=json.dumps(EVENT).encode(), headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["detail"]
    is_served(http)


def test_a_binary_modes_header_that_stands_twice_is_refused(http: httpx.Client) -> None:
    sent = [*((name, value) for name, value in BINARY.items()), ("CE-ID", "another")]
    answer = http.post("/v1/events", content=b"{}", headers=sent)
    assert (answer.status_code, answer.json()["detail"]) == (422, "the header ce-id stands twice")
