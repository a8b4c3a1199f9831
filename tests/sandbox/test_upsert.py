"""performUpsert, by its documented rules."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from pyairtable.api.table import Table


def test_no_match_creates_and_one_updates(jobs: Table) -> None:
    (there,) = jobs.batch_create([{"Run ID": "a", "Leads": 1, "Notes": "kept"}])
    result = jobs.batch_upsert([{"fields": {"Run ID": "a", "Leads": 2}}, {"fields": {"Run ID": "b"}}], key_fields=["Run ID"])
    assert result["updatedRecords"] == [there["id"]]
    assert result["createdRecords"] == [result["records"][1]["id"]]
    assert result["records"][0]["fields"] == {"Run ID": "a", "Leads": 2, "Notes": "kept"}


def test_records_with_and_without_id_mix(jobs: Table) -> None:
    one, _ = jobs.batch_create([{"Run ID": "a"}, {"Run ID": "b"}])
    result = jobs.batch_upsert(
        [{"id": one["id"], "fields": {"Leads": 1}}, {"fields": {"Run ID": "b", "Leads": 2}}, {"fields": {"Run ID": "c"}}],
        key_fields=["Run ID"],
    )
    assert (len(result["updatedRecords"]), len(result["createdRecords"])) == (2, 1)
    assert [record["fields"].get("Leads") for record in jobs.all()] == [1, 2, None]


def test_an_id_lets_the_key_itself_change(jobs: Table) -> None:
    one, other = jobs.batch_create([{"Run ID": "a"}, {"Run ID": "b"}])
    jobs.batch_upsert([{"id": one["id"], "fields": {"Run ID": "b"}}], key_fields=["Run ID"])
    assert {record["id"]: record["fields"]["Run ID"] for record in jobs.all()} == {one["id"]: "b", other["id"]: "b"}


def test_several_matches_fail_the_whole_call(jobs: Table, refusal: Any) -> None:
    jobs.batch_create([{"Run ID": "a"}, {"Run ID": "a"}])
    sent = [{"fields": {"Run ID": "new"}}, {"fields": {"Run ID": "a"}}]
    status, error = refusal(lambda: jobs.batch_upsert(sent, key_fields=["Run ID"]))
    assert status == 422
    assert error["message"].startswith("Cannot update more than one record")
    assert len(jobs.all()) == 2


def test_an_unknown_id_fails_the_whole_call(jobs: Table, refusal: Any) -> None:
    sent = [{"fields": {"Run ID": "new"}}, {"id": "rec00000000000000", "fields": {"Run ID": "a"}}]
    status, error = refusal(lambda: jobs.batch_upsert(sent, key_fields=["Run ID"]))
    assert (status, error["type"]) == (422, "ROW_DOES_NOT_EXIST")
    assert jobs.all() == []


def test_two_new_records_with_one_key_make_two_rows(jobs: Table) -> None:
    result = jobs.batch_upsert([{"fields": {"Run ID": "a"}}, {"fields": {"Run ID": "a"}}], key_fields=["Run ID"])
    assert len(set(result["createdRecords"])) == 2


@pytest.mark.parametrize(
    "key",
    [
        {"Leads": 3},
        {"Leads": 3.5},
        {"Status": "Running"},
        {"Tags": ["red", "blue"]},
        {"Day": "2025-09-30"},
        {"Notes": "Überall 'quotes' \\ and\nlines \U0001f600"},
        {"Run ID": "x", "Leads": 4, "Day": "2025-01-01"},
    ],
)
def test_every_mergeable_type_merges(jobs: Table, key: dict[str, Any]) -> None:
    first = jobs.batch_upsert([{"fields": key}], key_fields=list(key))
    again = jobs.batch_upsert([{"fields": key | {"Cost": 1}}], key_fields=list(key))
    assert again["updatedRecords"] == first["createdRecords"]


def test_a_key_field_named_by_id_works(jobs: Table) -> None:
    field = jobs.schema().field("Run ID").id
    jobs.batch_upsert([{"fields": {field: "a"}}], key_fields=[field])
    assert jobs.batch_upsert([{"fields": {field: "a"}}], key_fields=[field])["createdRecords"] == []


def test_the_key_is_case_sensitive(jobs: Table) -> None:
    jobs.create({"Run ID": "a"})
    assert jobs.batch_upsert([{"fields": {"Run ID": "A"}}], key_fields=["Run ID"])["updatedRecords"] == []


@pytest.mark.parametrize(
    ("merge_on", "error"),
    [
        ([], "INVALID_REQUEST_UNKNOWN"),
        (["Run ID", "Leads", "Notes", "Day"], "INVALID_REQUEST_UNKNOWN"),
        ("Run ID", "INVALID_REQUEST_UNKNOWN"),
        (["Nope"], "UNKNOWN_FIELD_NAME"),
        (["Done"], "INVALID_REQUEST_UNKNOWN"),
        (["Leads"], "INVALID_REQUEST_UNKNOWN"),
    ],
)
def test_merge_fields_that_cannot_be(http: httpx2.Client, jobs: Table, merge_on: object, error: str) -> None:
    body = {"records": [{"fields": {"Run ID": "a", "Done": True}}], "performUpsert": {"fieldsToMergeOn": merge_on}}
    answer = http.patch(f"/v0/{jobs.base.id}/{jobs.id}", json=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, error)
    assert jobs.all() == []
