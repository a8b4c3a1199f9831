"""docs/contracts: what is committed is what the code says, and what it says is true of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import schemathesis
from fastapi.openapi.models import OpenAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from schemathesis.generation import GenerationMode

from contract.event_schemas import DESCRIBED, event_schema, example
from contract.events import INTERNAL_TYPES, Data, Event, EventType, Malformed, decode_event
from contract.run_id import parse
from contract.settings import Settings
from dashboard import StoredJobs
from producers.gateway import create_gateway
from producers.gateway.access.caller import Caller
from producers.gateway.access.token import Scope
from producers.gateway.contracts import FOLDER, contracts, write
from producers.gateway.events.checking import TYPES, EventRefused, check
from producers.gateway.events.modes import Sent

ROOT = Path(__file__).parents[2]
TEXTS = contracts()
ASYNCAPI = json.loads(TEXTS["asyncapi.json"])
OPENAPI = json.loads(TEXTS["openapi.json"])
EVERYBODY = Caller("id", "test", frozenset(Scope))
# The calendar, the words that map to a status, what repeats the subject, and that JSON Schema takes 1.0 for an integer.
SAID_ONLY_IN_WORDS = re.compile("there is no date and time|is no status|contradicts the subject|data.stream")
PROBLEM = {"application/problem+json"}


def is_valid(schema: Any, value: Any) -> bool:
    return bool(jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(value))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolved(document: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        document = document[part.replace("~1", "/").replace("~0", "~")]
    return document


def test_what_is_committed_is_what_the_code_says() -> None:
    folder = ROOT / FOLDER
    committed = {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("*.json")}
    differing = sorted(name for name in committed.keys() | TEXTS.keys() if committed.get(name) != TEXTS.get(name))
    assert not differing, f"{differing}: run `.venv/bin/python -m producers.gateway.contracts` and commit what it writes"


def test_writing_removes_what_is_no_more(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "gone.json").write_text("{}")
    write(tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.json")} == TEXTS.keys()


@pytest.mark.parametrize("kind", EventType)
def test_a_types_schema_takes_its_example_as_the_decoder_does(kind: EventType) -> None:
    schema = json.loads(TEXTS[f"events/{kind}.json"])
    jsonschema_rs.meta.validate(schema)
    for shown in schema["examples"]:
        assert is_valid(schema, shown)
        assert not isinstance(decode_event(json.dumps(shown).encode()), Malformed)
        job, client = shown | {"subject": "250930-141522"}, shown | {"subject": "250930-141522-Jane-Doe"}
        assert is_valid(schema, client) is kind.startswith("client.")
        assert is_valid(schema, job) is not is_valid(schema, client)


@pytest.mark.parametrize(
    "fault",
    [
        {"specversion": "0.3"},
        {"id": ""},
        {"id": 7},
        {"source": None},
        {"time": "yesterday"},
        {"subject": "250930-141522"},
        {"subject": "251330-141522-a"},
        {"subject": "250930-141522-"},
        {"subject": "250930-141522-" + "a" * 201},
        {"type": "client.run.started"},
        {"data": []},
        {"data": {"metrics": {"a": True}}},
        {"data": {"metrics": {"a": None}}},
        {"data": {"skips": {"QUOTA": -1}}},
        {"data": {"stream": 1}},
        {"data": {"seen_ms": 1}},
        {"data": {"progress": {"operation": "scoring"}}},
    ],
    ids=str,
)
def test_a_schema_refuses(fault: dict[str, Any]) -> None:
    schema, event = event_schema(EventType.METRICS_UPDATED), example(EventType.METRICS_UPDATED)
    assert is_valid(schema, event | {"partitionkey": "an extension", "data": {"of_my_own": 1}})
    assert not is_valid(schema, event | fault)


def test_every_field_is_described_and_used_by_a_type() -> None:
    used = {name for described in DESCRIBED.values() for name in described.fields}
    assert used == {field.name for field in msgspec.structs.fields(Data)}
    properties = event_schema(EventType.JOB_STARTED)["properties"].keys()
    assert {field.name for field in msgspec.structs.fields(Event)} <= properties


@pytest.mark.parametrize("run_id", ["250930-141522", "991231-235959", "000101-000000", "250931-141522", "250930-241522", "259999-999999"])
def test_the_pattern_of_run_ids_takes_what_the_parser_takes_but_for_the_length_of_months(run_id: str) -> None:
    pattern = event_schema(EventType.JOB_STARTED)["properties"]["subject"]["pattern"]
    assert bool(re.search(pattern, run_id)) is (parse(run_id).base == run_id or run_id == "250931-141522")


@pytest.mark.parametrize("document", [ASYNCAPI, OPENAPI], ids=["asyncapi", "openapi"])
def test_every_reference_leads_somewhere(document: Any) -> None:
    found = set(references(document))
    assert found
    for reference in found:
        assert resolved(document, reference) is not None


def test_asyncapis_examples_fit_their_payloads() -> None:
    messages = ASYNCAPI["components"]["messages"]
    assert messages.keys() == {"LogEntry", "Ring", *EventType}
    for message in messages.values():
        schema = {**message["payload"], "components": ASYNCAPI["components"]}
        for shown in message["examples"]:
            assert is_valid(schema, shown["payload"])
    taken = ASYNCAPI["channels"]["gateway"]["messages"].keys()
    assert taken == TYPES == set(EventType) - INTERNAL_TYPES


@pytest.fixture
def app(make_settings: Callable[..., Settings]) -> Any:
    settings = make_settings()
    return create_gateway(settings, StoredJobs(settings))


def test_the_openapi_document_is_the_one_that_is_served(app: Any) -> None:
    with TestClient(app) as client:
        assert client.get("/openapi.json").json() == OPENAPI
    OpenAPI.model_validate(OPENAPI)
    operations = list(schemathesis.openapi.from_dict(OPENAPI).get_all_operations())
    assert operations
    for operation in operations:
        operation.ok()


def test_openapi_describes_every_route_with_what_it_refuses(app: Any) -> None:
    routed = {(route.path, method) for route in app.routes if isinstance(route, APIRoute) for method in route.methods}
    described = {(path, method.upper()) for path, operations in OPENAPI["paths"].items() for method in operations}
    assert described == {(path.replace(":path}", "}"), method) for path, method in routed}
    for path, operations in OPENAPI["paths"].items():
        for method, operation in operations.items():
            refusals = {status: answer["content"].keys() for status, answer in operation["responses"].items() if status >= "400"}
            assert "503" in refusals, (path, method)
            assert all(media == PROBLEM for media in refusals.values()), (path, method)
            assert operation["summary"], (path, method)


POSITIVE = schemathesis.openapi.from_dict(OPENAPI)["/v1/events"]["POST"].as_strategy(generation_mode=GenerationMode.POSITIVE)


@given(case=POSITIVE)
@hypothesis_settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_what_fits_the_schemas_is_taken_but_for_what_no_schema_can_say(case: Any) -> None:
    reasons = [refusal(event) for event in (case.body if isinstance(case.body, list) else [case.body])]
    assert not [reason for reason in reasons if reason and not SAID_ONLY_IN_WORDS.search(reason)]


def refusal(event: Any) -> str:
    """Why the gateway refuses an event; nothing if it takes it."""
    try:
        check(Sent(event, None), EVERYBODY)
    except EventRefused as error:
        return str(error)
    return ""
