"""The Meta API: reading and changing the schema."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from pyairtable import Api
from pyairtable.api.base import Base
from pyairtable.api.table import Table

from airtable_sandbox import FIRST_BASE_ID, Sandbox

TEXT = {"name": "N", "type": "singleLineText"}


def test_a_new_data_file_has_one_empty_base(api: Api) -> None:
    with Sandbox("t") as fresh:
        api = Api("t", endpoint_url=fresh.url)
        assert [(base.id, base.name) for base in api.bases()] == [(FIRST_BASE_ID, "Runtally")]
        assert fresh.base_id == FIRST_BASE_ID
        assert api.base(fresh.base_id).tables() == []


def test_whoami(api: Api) -> None:
    assert api.whoami()["id"].startswith("usr")


def test_page_size_on_bases_is_refused(http: httpx2.Client) -> None:
    assert http.get("/v0/meta/bases", params={"pageSize": 1}).status_code == 422


def test_the_schema_reads_back(jobs: Table) -> None:
    schema = jobs.schema()
    assert schema.primary_field_id == schema.fields[0].id
    assert [view.name for view in schema.views] == ["Grid view"]
    assert schema.field("Cost").options.symbol == "$"
    assert schema.field("Start Time").options.date_format.format == "YYYY-MM-DD"
    assert schema.field("Start Time").options.time_zone == "utc"
    assert [choice.name for choice in schema.field("Status").options.choices] == ["Running", "Completed"]
    assert jobs.all(view="Grid view") == jobs.all(view=schema.views[0].id) == []


def test_fields_are_added_renamed_and_described(jobs: Table) -> None:
    field = jobs.create_field("Errors", "number", "how many", {"precision": 0})
    jobs.create({"Errors": 3})
    field.name, field.description = "Errors Seen", "how many there were"
    field.save()
    assert jobs.all()[0]["fields"] == {"Errors Seen": 3}
    seen = jobs.schema(force=True).field("Errors Seen")
    assert (seen.id, seen.description) == (field.id, "how many there were")


def test_tables_are_renamed(api: Api, jobs: Table) -> None:
    schema = jobs.schema()
    schema.name, schema.description = "Runs", "one row a run"
    schema.save()
    assert api.table(jobs.base.id, "Runs").all() == []
    assert jobs.base.schema(force=True).table("Runs").description == "one row a run"


def test_options_of_a_select_can_be_added_but_not_taken_away(http: httpx2.Client, jobs: Table) -> None:
    status = jobs.schema().field("Status")
    path = f"/v0/meta/bases/{jobs.base.id}/tables/{jobs.id}/fields/{status.id}"
    names = [{"name": "Completed"}, {"name": "Running"}, {"name": "Failed"}]
    answer = http.patch(path, json={"options": {"choices": names}}).json()
    kept = {choice.name: choice.id for choice in status.options.choices}
    assert {choice["name"]: choice["id"] for choice in answer["options"]["choices"][:2]} == kept
    assert jobs.create({"Status": "Failed"})["fields"] == {"Status": "Failed"}
    assert http.patch(path, json={"options": {"choices": names[:1]}}).status_code == 422


def test_a_link_adds_its_inverse_to_the_other_table(jobs: Table, clients: Table) -> None:
    link = clients.schema().field("Job").options
    inverse = jobs.schema(force=True).field("Client Run Results")
    assert (link.linked_table_id, link.inverse_link_field_id, link.is_reversed) == (jobs.id, inverse.id, False)
    assert inverse.options.inverse_link_field_id == clients.schema().field("Job").id
    clients.create_field("Second", "multipleRecordLinks", options={"linkedTableId": jobs.id})
    assert jobs.schema(force=True).field("Client Run Results 2").options.linked_table_id == clients.id


def test_a_table_may_link_to_itself(jobs: Table) -> None:
    jobs.create_field("Parent", "multipleRecordLinks", options={"linkedTableId": jobs.id})
    parent = jobs.create({"Run ID": "a"})
    child = jobs.create({"Run ID": "b", "Parent": [parent["id"]]})
    assert jobs.get(child["id"])["fields"]["Parent"] == [parent["id"]]
    assert "Parent" not in jobs.get(parent["id"])["fields"]


FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"name": "F", "type": "formula", "options": {"formula": "1"}}, "UNSUPPORTED_FIELD_TYPE_FOR_CREATE"),
    ({"name": "F", "type": "rollup"}, "UNSUPPORTED_FIELD_TYPE_FOR_CREATE"),
    ({"name": "run id", "type": "singleLineText"}, "DUPLICATE_OR_EMPTY_FIELD_NAME"),
    ({"name": " ", "type": "singleLineText"}, "DUPLICATE_OR_EMPTY_FIELD_NAME"),
    ({"type": "singleLineText"}, "DUPLICATE_OR_EMPTY_FIELD_NAME"),
    ({"name": "F"}, "INVALID_REQUEST_UNKNOWN"),
    ({"name": "F", "type": "number"}, "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE"),
    ({"name": "F", "type": "number", "options": {"precision": 9}}, "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE"),
    ({"name": "F", "type": "currency", "options": {"precision": 2}}, "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE"),
    ({"name": "F", "type": "checkbox"}, "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE"),
    ({"name": "F", "type": "singleSelect"}, "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE"),
    (
        {"name": "F", "type": "singleSelect", "options": {"choices": [{"name": "a"}, {"name": "a"}]}},
        "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE",
    ),
    ({"name": "F", "type": "date", "options": {"dateFormat": {"name": "odd"}}}, "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE"),
    ({"name": "F", "type": "singleLineText", "options": {"a": 1}}, "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE"),
    (
        {"name": "F", "type": "multipleRecordLinks", "options": {"linkedTableId": "tbl00000000000000"}},
        "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE",
    ),
    (
        {"name": "F", "type": "multipleRecordLinks", "options": {"linkedTableId": "", "prefersSingleRecordLink": True}},
        "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE",
    ),
]


@pytest.mark.parametrize(("field", "kind"), FIELDS)
def test_fields_that_cannot_be(http: httpx2.Client, jobs: Table, field: dict[str, Any], kind: str) -> None:
    answer = http.post(f"/v0/meta/bases/{jobs.base.id}/tables/{jobs.id}/fields", json=field)
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, kind)


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../../etc/passwd", "/etc/passwd", "", 5])
def test_a_time_zone_that_is_none(http: httpx2.Client, jobs: Table, zone: object) -> None:
    options = {"timeZone": zone, "dateFormat": {"name": "iso"}, "timeFormat": {"name": "24hour"}}
    answer = http.post(f"/v0/meta/bases/{jobs.base.id}/tables/{jobs.id}/fields", json={"name": "F", "type": "dateTime", "options": options})
    assert answer.status_code == 422


def test_a_table_is_made_whole_or_not_at_all(base: Base, http: httpx2.Client, refusal: Any) -> None:
    status, error = refusal(lambda: base.create_table("T", [TEXT, {"name": "F", "type": "formula"}]))
    assert (status, error["type"]) == (422, "UNSUPPORTED_FIELD_TYPE_FOR_CREATE")
    assert base.tables(force=True) == []
    assert refusal(lambda: base.create_table("T", []))[0] == 422
    assert refusal(lambda: base.create_table("", [TEXT]))[0] == 422
    assert (
        refusal(lambda: base.create_table("T", [{"name": "F", "type": "checkbox", "options": {"icon": "check", "color": "red"}}]))[0] == 422
    )
    base.create_table("T", [TEXT])
    assert refusal(lambda: base.create_table("t", [TEXT]))[1]["type"] == "DUPLICATE_TABLE_NAME"


def test_people_edit_past_limits_counters_and_faults(jobs: Table, sandbox: Sandbox) -> None:
    sandbox.set_limits(calls_per_s=0)
    sandbox.fault("status")
    sandbox.reset_counters()
    person = Api(sandbox.token, endpoint_url=sandbox.human_url, retry_strategy=None).table(jobs.base.id, jobs.id)
    person.batch_create([{"Run ID": str(number)} for number in range(120)])
    assert sandbox.counters()["calls"] == 0
    assert len(sandbox.records(jobs.id, jobs.base.id)) == 120
    assert sandbox.delete_records(jobs.id, jobs.base.id) == 120
    assert person.all() == []
