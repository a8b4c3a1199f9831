"""Each refusal: status and body, and that nothing was applied."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from pyairtable import Api
from pyairtable.api.table import Table

from airtable_sandbox import Sandbox

GONE = "rec00000000000000"
FORBIDDEN = (403, "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND")

VALUES: list[tuple[dict[str, Any], str, str]] = [
    ({"Nope": 1}, "UNKNOWN_FIELD_NAME", 'Unknown field name: "Nope"'),
    ({"Leads": "42"}, "INVALID_VALUE_FOR_COLUMN", 'Field "Leads" cannot accept the provided value'),
    ({"Leads": True}, "INVALID_VALUE_FOR_COLUMN", 'Field "Leads" cannot accept the provided value'),
    ({"Leads": 10**400}, "INVALID_VALUE_FOR_COLUMN", 'Field "Leads" cannot accept the provided value'),
    ({"Run ID": 1}, "INVALID_VALUE_FOR_COLUMN", 'Field "Run ID" cannot accept the provided value'),
    ({"Run ID": ["a"]}, "INVALID_VALUE_FOR_COLUMN", 'Field "Run ID" cannot accept the provided value'),
    ({"Notes": "x" * 100_001}, "INVALID_VALUE_FOR_COLUMN", 'Field "Notes" cannot accept the provided value'),
    ({"Done": "yes"}, "INVALID_VALUE_FOR_COLUMN", 'Field "Done" cannot accept the provided value'),
    ({"Start Time": "tomorrow"}, "INVALID_VALUE_FOR_COLUMN", 'Cannot parse value "tomorrow" for field Start Time'),
    ({"Start Time": "2025-02-30T00:00:00Z"}, "INVALID_VALUE_FOR_COLUMN", 'Cannot parse value "2025-02-30T00:00:00Z" for field Start Time'),
    ({"Day": 20250930}, "INVALID_VALUE_FOR_COLUMN", 'Field "Day" cannot accept the provided value'),
    ({"Status": "Odd"}, "INVALID_MULTIPLE_CHOICE_OPTIONS", 'Insufficient permissions to create new select option ""Odd""'),
    ({"Status": ""}, "INVALID_MULTIPLE_CHOICE_OPTIONS", 'Insufficient permissions to create new select option """"'),
    ({"Tags": ["red", "odd"]}, "INVALID_MULTIPLE_CHOICE_OPTIONS", 'Insufficient permissions to create new select option ""odd""'),
    ({"Twice": 2}, "INVALID_VALUE_FOR_COLUMN", 'Field "Twice" cannot accept a value because the field is computed'),
]


@pytest.mark.parametrize(("fields", "kind", "message"), VALUES)
def test_one_bad_value_fails_the_whole_batch(
    jobs: Table, sandbox: Sandbox, refusal: Any, fields: dict[str, Any], kind: str, message: str
) -> None:
    sandbox.add_formula_field(jobs.id, "Twice", "{Leads}*2", jobs.base.id)
    sandbox.reset_counters()
    batch = [{"Run ID": "good"}, {"Run ID": "bad"} | fields]
    assert refusal(lambda: jobs.batch_create(batch)) == (422, {"type": kind, "message": message})
    assert jobs.all() == []
    assert sandbox.counters()["records_written"] == 0


def test_a_failed_batch_leaves_updates_undone_too(jobs: Table, refusal: Any) -> None:
    one, two = jobs.batch_create([{"Run ID": "a"}, {"Run ID": "b"}])
    sent = [{"id": one["id"], "fields": {"Leads": 1}}, {"id": two["id"], "fields": {"Leads": "x"}}]
    refusal(lambda: jobs.batch_update(sent))
    assert [record["fields"] for record in jobs.all()] == [{"Run ID": "a"}, {"Run ID": "b"}]


def test_a_failed_batch_leaves_no_new_option_behind(jobs: Table, refusal: Any) -> None:
    refusal(lambda: jobs.batch_create([{"Status": "Paused"}, {"Nope": 1}], typecast=True))
    assert refusal(lambda: jobs.create({"Status": "Paused"}))[1]["type"] == "INVALID_MULTIPLE_CHOICE_OPTIONS"


def test_links_that_cannot_be(jobs: Table, clients: Table, refusal: Any) -> None:
    row = clients.create({"Run ID": "a"})
    invalid = (422, {"type": "INVALID_VALUE_FOR_COLUMN", "message": "Value is not an array of record IDs."})
    assert refusal(lambda: clients.create({"Job": row["id"]})) == invalid
    assert refusal(lambda: clients.create({"Job": ["a"]})) == invalid
    assert refusal(lambda: clients.create({"Job": [GONE]})) == (
        422, {"type": "ROW_DOES_NOT_EXIST", "message": f"Record ID {GONE} does not exist"},
    )  # fmt: skip
    assert refusal(lambda: clients.create({"Job": [row["id"]]}))[1]["type"] == "ROW_TABLE_DOES_NOT_MATCH_LINKED_TABLE"


def test_models_that_are_not_there(api: Api, jobs: Table, refusal: Any) -> None:
    calls = [
        lambda: jobs.get(GONE),
        lambda: jobs.update(GONE, {"Leads": 1}),
        lambda: jobs.delete(GONE),
        lambda: api.table(jobs.base.id, "Nope").all(),
        lambda: api.table(jobs.base.id, "tbl00000000000000").create({}),
        lambda: api.table("app00000000000000", "Job Tracking").all(),
        lambda: api.base("app00000000000000").schema(),
    ]
    for call in calls:
        status, error = refusal(call)
        assert (status, error["type"]) == FORBIDDEN


def test_records_of_a_batch_that_are_not_in_the_table(jobs: Table, clients: Table, refusal: Any) -> None:
    other = clients.create({"Run ID": "a"})["id"]
    for record_id in (GONE, other):
        missing = (422, {"type": "ROW_DOES_NOT_EXIST", "message": f"Record ID {record_id} does not exist in this table"})
        assert refusal(lambda record_id=record_id: jobs.batch_update([{"id": record_id, "fields": {}}])) == missing
        assert refusal(lambda record_id=record_id: jobs.batch_delete([record_id])) == missing


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic cGF0U2FuZGJveFRlc3Q=", "Bearer", "Bearer ünï"])
@pytest.mark.parametrize("path", ["/v0/meta/whoami", "/_sandbox/counters", "/_sandbox/v0/meta/bases"])
def test_no_token_no_answer(sandbox: Sandbox, header: str | None, path: str) -> None:
    headers = {} if header is None else {"Authorization": header.encode()}
    answer = httpx2.get(sandbox.url + path, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"error": {"type": "AUTHENTICATION_REQUIRED", "message": "Authentication required"}}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v0"), ("GET", "/v0/meta/nope"), ("DELETE", "/v0/meta/bases"), ("POST", "/v0/{table}/rec1/x"), ("GET", "/_sandbox/nope")],
)
def test_paths_that_are_no_endpoint(http: httpx2.Client, jobs: Table, method: str, path: str) -> None:
    answer = http.request(method, path.format(table=f"{jobs.base.id}/{jobs.id}"))
    assert (answer.status_code, answer.json()) == (404, {"error": "NOT_FOUND"})


LISTS: list[tuple[dict[str, Any], str]] = [
    ({"pageSize": 101}, "INVALID_REQUEST_UNKNOWN"),
    ({"pageSize": 0}, "INVALID_REQUEST_UNKNOWN"),
    ({"maxRecords": "many"}, "INVALID_REQUEST_UNKNOWN"),
    ({"nope": 1}, "INVALID_REQUEST_UNKNOWN"),
    ({"cellFormat": "string"}, "INVALID_REQUEST_UNKNOWN"),
    ({"fields[]": "Nope"}, "UNKNOWN_FIELD_NAME"),
    ({"sort[0][field]": "Nope"}, "UNKNOWN_FIELD_NAME"),
    ({"sort[0][field]": "Run ID", "sort[0][direction]": "up"}, "INVALID_REQUEST_UNKNOWN"),
    ({"view": "Nope"}, "VIEW_NAME_NOT_FOUND"),
    ({"offset": "nonsense"}, "INVALID_OFFSET_VALUE"),
    ({"offset": "itr00000000000000/rec00000000000000"}, "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"),
    ({"filterByFormula": "{Run ID}="}, "INVALID_FILTER_BY_FORMULA"),
    ({"filterByFormula": "NOPE()"}, "INVALID_FILTER_BY_FORMULA"),
    ({"filterByFormula": "(" * 5000}, "INVALID_FILTER_BY_FORMULA"),
    ({"filterByFormula": "{Nope}=1"}, "INVALID_FILTER_BY_FORMULA"),
]


@pytest.mark.parametrize(("parameters", "kind"), LISTS)
def test_lists_that_cannot_be(http: httpx2.Client, jobs: Table, parameters: dict[str, Any], kind: str) -> None:
    answer = http.get(f"/v0/{jobs.base.id}/{jobs.id}", params=parameters)
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, kind)


def test_unknown_fields_of_a_filter_are_named_in_lower_case(jobs: Table, refusal: Any) -> None:
    message = "The formula for filtering records is invalid: Unknown field names: no such"
    assert refusal(lambda: jobs.all(formula="{No Such}=1")) == (422, {"type": "INVALID_FILTER_BY_FORMULA", "message": message})


BODIES: list[tuple[str, bytes, str]] = [
    ("POST", b"{nonsense", "INVALID_REQUEST_BODY"),
    ("POST", b"[]", "INVALID_REQUEST_BODY"),
    ("POST", b'{"fields": {"Leads": NaN}}', "INVALID_REQUEST_BODY"),
    ("POST", b'{"a":' * 100_000, "INVALID_REQUEST_BODY"),
    ("POST", b"{}", "INVALID_REQUEST_MISSING_FIELDS"),
    ("POST", b'{"records": []}', "INVALID_RECORDS"),
    ("POST", b'{"records": [{}]}', "INVALID_REQUEST_MISSING_FIELDS"),
    ("POST", b'{"fields": 1}', "INVALID_REQUEST_UNKNOWN"),
    ("PATCH", b"{}", "INVALID_REQUEST_MISSING_FIELDS"),
    ("PATCH", b'{"records": [{"fields": {}}]}', "INVALID_RECORDS"),
    ("PATCH", b'{"records": [{"id": "nonsense", "fields": {}}]}', "INVALID_RECORDS"),
    ("DELETE", b"", "INVALID_RECORDS"),
]


@pytest.mark.parametrize(("method", "body", "kind"), BODIES)
def test_bodies_that_cannot_be(http: httpx2.Client, jobs: Table, method: str, body: bytes, kind: str) -> None:
    answer = http.request(method, f"/v0/{jobs.base.id}/{jobs.id}", content=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, kind)
    assert jobs.all() == []


def test_eleven_records_are_refused(http: httpx2.Client, jobs: Table) -> None:
    path = f"/v0/{jobs.base.id}/{jobs.id}"
    made = [jobs.create({"Run ID": str(number)})["id"] for number in range(11)]
    batches = [
        http.post(path, json={"records": [{"fields": {}}] * 11}),
        http.patch(path, json={"records": [{"id": record_id, "fields": {}} for record_id in made]}),
        http.delete(path, params={"records[]": made}),
    ]
    for answer in batches:
        assert (answer.status_code, answer.json()["error"]["type"]) == (422, "INVALID_RECORDS")
    assert len(jobs.all()) == 11


def test_one_row_cannot_be_written_twice_in_a_call(jobs: Table, refusal: Any) -> None:
    record = jobs.create({"Run ID": "a"})
    twice = [{"id": record["id"], "fields": {"Leads": 1}}, {"id": record["id"], "fields": {"Leads": 2}}]
    assert refusal(lambda: jobs.batch_update(twice))[1]["type"] == "INVALID_RECORDS"


def test_fields_of_a_single_record_cannot_be_chosen(http: httpx2.Client, jobs: Table) -> None:
    record = jobs.create({"Run ID": "a"})
    answer = http.get(f"/v0/{jobs.base.id}/{jobs.id}/{record['id']}", params={"fields[]": "Run ID"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, "INVALID_REQUEST_UNKNOWN")


def test_a_lone_surrogate_is_replaced(http: httpx2.Client, jobs: Table) -> None:
    answer = http.post(f"/v0/{jobs.base.id}/{jobs.id}", content=b'{"fields": {"Run ID": "a\\ud800b\\ud83d\\ude00"}}')
    assert answer.json()["fields"]["Run ID"] == "a\ufffdb\U0001f600"
