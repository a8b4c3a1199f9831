"""The CloudEvents project's own SDK talks to the gateway as it is, in each content mode."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

RUN = "250930-141522"
CLIENT = "Zoë-Müller 株式会社"
Folded = Callable[[str], Any]
NOON = datetime(2025, 9, 30, 12, 0, 0, 250_000, tzinfo=UTC)


def event(number: int, kind: str, data: Any, **attributes: Any) -> CloudEvent:
    subject = RUN if kind.startswith("job.") else f"{RUN}-{CLIENT}"
    known = {"id": f"ä{number}", "source": "/büro/crm", "type": kind, "subject": subject, "time": NOON.replace(minute=number)}
    return CloudEvent(known | attributes, data)


def a_run(**attributes: Any) -> list[CloudEvent]:
    """A job with one client, from start to end."""
    return [
        event(1, "job.started", {"job_type": "batch_scoring", "stream": 7}, **attributes),
        event(2, "client.run.started", {"client_name": 'Zoë "M" 100%'}, **attributes),
        event(
            3, "client.metrics.updated", {"metrics": {"leads_processed": 9_007_199_254_740_993, "Apify API Costs": "0.10"}}, **attributes
        ),
        event(4, "client.run.completed", {"success": True, "note": "naïve 😀"}, **attributes),
        event(5, "job.completed", None, **attributes),
    ]


def batch(events: list[CloudEvent]) -> HTTPMessage:
    """The SDK writes no batches: its events in an array, as the JSON format has it."""
    body = b"[" + b",".join(map(JSONFormat().write, events)) + b"]"
    return HTTPMessage({"content-type": "application/cloudevents-batch+json"}, body)


def is_right(job: Any) -> None:
    (client,) = job["clients"]
    assert (job["status"], job["job_type"], job["stream"]) == ("Completed", "batch_scoring", 7)
    assert job["metrics"] == {"Leads Processed": 9_007_199_254_740_993, "Apify API Costs": "0.10"}
    assert (client["client_id"], client["client_name"], client["status"]) == (CLIENT, 'Zoë "M" 100%', "Completed")
    assert "naïve 😀" in client["notes"]
    assert "never announced" not in job["notes"] + client["notes"]
    assert (job["start"], job["end"]) == ("2025-09-30T12:01:00.250000Z", "2025-09-30T12:05:00.250000Z")


MODES: dict[str, Callable[[list[CloudEvent]], list[HTTPMessage]]] = {
    "structured": lambda events: [to_structured_event(one) for one in events],
    "binary": lambda events: [to_binary_event(one) for one in events],
    "batch": lambda events: [batch(events)],
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"datacontenttype": "application/json"},
        {"datacontenttype": "application/vnd.crm+json", "dataschema": "https://example.com/schema"},
        {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "partitionkey": "ä %", "sequence": "7", "urgent": True},
    ],
    ids=["least", "typed", "schema", "extensions"],
)
def test_a_run(mode: str, attributes: dict[str, Any], http: httpx.Client, folded: Folded) -> None:
    events = a_run(**attributes)
    for _ in range(2):
        for message in MODES[mode](events):
            answer = http.post("/v1/events", content=message.body, headers=message.headers)
            assert answer.status_code == 202, answer.text
    is_right(folded(RUN))


@pytest.mark.parametrize("mode", MODES)
def test_data_in_bytes(mode: str, http: httpx.Client, folded: Folded) -> None:
    """What the SDK writes as data_base64, where it does."""
    events = a_run()
    events[2] = event(3, "client.metrics.updated", b'{"metrics":{"leads_processed":9007199254740993,"Apify API Costs":"0.10"}}')
    messages = MODES[mode](events)
    assert any(b'"data_base64"' in message.body for message in messages) is (mode != "binary")
    for message in messages:
        answer = http.post("/v1/events", content=message.body, headers=message.headers)
        assert answer.status_code == 202, answer.text
    is_right(folded(RUN))


def test_the_modes_are_one_another_s_repeats(http: httpx.Client, folded: Folded) -> None:
    events = a_run()
    for messages in MODES.values():
        for message in messages(events):
            assert http.post("/v1/events", content=message.body, headers=message.headers).status_code == 202
    is_right(folded(RUN))
