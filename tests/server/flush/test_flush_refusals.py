"""What Airtable does not take is found, set aside with its reason, and everything else is written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyairtable import Api

from contract import keys
from contract.errors import AirtableRejected
from contract.settings import load_settings
from worker.flush import mending
from worker.flush.airtable import Airtable

from .conftest import FAST, FINISHED, RUN, TOKEN, World


def person(world: World, table: str = "Job Tracking") -> Any:
    """The table as a person at Airtable's window sees it: past limits and counters."""
    return Api(TOKEN, endpoint_url=world.sandbox.human_url).table(world.base_id, table)


def alter(world: World, table: str, field: str, **changes: Any) -> None:
    """Change a field's name or options, as a person does."""
    api = Api(TOKEN, endpoint_url=world.sandbox.human_url)
    tables = api.get(f"{world.sandbox.human_url}/v0/meta/bases/{world.base_id}/tables")["tables"]
    shape = next(shape for shape in tables if shape["name"] == table)
    field_id = next(known["id"] for known in shape["fields"] if known["name"] == field)
    api.patch(f"{world.sandbox.human_url}/v0/meta/bases/{world.base_id}/tables/{shape['id']}/fields/{field_id}", json=changes)


def make_number(world: World, table: str, field: str) -> None:
    """Put a number field in a field's place."""
    alter(world, table, field, name=f"{field} (old)")
    person(world, table).create_field(field, "number", options={"precision": 0})


def test_a_field_that_the_base_lacks_is_left_out_once_for_all_rows(world: World) -> None:
    alter(world, "Client Run Results", "Errors", name="Fehler")
    for n in range(30):
        world.client(f"c{n}", metrics={"Errors": n, "Leads Processed": n})
    report = world.flush()
    assert report.rows_written == 30
    assert report.absent == ("client.Errors",)
    assert world.calls() == 1 + 3, "one refusal, however many rows and requests"
    assert world.clients()[f"{RUN}-c7"]["Leads Processed"] == 7
    assert [json.loads(letter["origin"])["field"] for letter in world.letters()] == ["Errors"]


def test_a_lacking_field_is_remembered_from_flush_to_flush_and_tried_again_later(world: World) -> None:
    alter(world, "Client Run Results", "Errors", name="Fehler")
    row = world.client("a", metrics={"Errors": 1})
    other = world.client("b", metrics={"Errors": 2})
    empty = world.client("c")
    world.flush()
    world.sandbox.reset_counters()
    world.change(row)
    assert world.flush().absent == ("client.Errors",)
    assert world.calls() == 1

    at_once = replace(FAST, recheck_s=0)
    assert world.flush(pace=at_once).absent == ("client.Errors",), "still lacking, though no row has changed"
    assert len(world.letters()) == 1, "one dead letter for as long as it lacks"
    alter(world, "Client Run Results", "Fehler", name="Errors")
    assert world.flush(pace=at_once).absent == ()
    written = world.clients()
    assert [written[known.row_id].get("Errors") for known in (row, other, empty)] == [1, 2, None], "what was left out is made up for"
    assert world.link.call("HEXISTS", keys.flush_counters(world.base_id), "absent:client:Errors") == 0
    assert world.link.call("EXISTS", keys.flush_partial(world.base_id, "client", "Errors")) == 0


def test_one_poisoned_row_in_ten_loses_its_bad_field_only(world: World) -> None:
    make_number(world, "Client Run Results", "Client Name")
    for n in range(10):
        world.client(f"c{n}", name="Seven" if n == 7 else None, metrics={"Errors": n})
    report = world.flush()
    assert (report.rows_written, report.refused_fields) == (10, 1)
    assert {row["Errors"] for row in world.clients().values()} == set(range(10))
    (letter,) = world.letters()
    assert json.loads(letter["origin"]) == {"row": f"{RUN}-c7", "table": "client", "field": "Client Name", "value": "Seven"}
    assert json.loads(letter["letter"]) == {"Client Name": "Seven"}
    assert "INVALID_VALUE_FOR_COLUMN" in letter["reason"]
    assert world.calls() <= 9


def test_a_field_that_refuses_every_value_is_left_out_after_three(world: World) -> None:
    make_number(world, "Client Run Results", "Client Name")
    for n in range(30):
        world.client(f"c{n}", name=f"Name {n}")
    report = world.flush()
    assert report.rows_written == 30
    assert report.absent == ("client.Client Name",)
    assert len(world.clients()) == 30
    assert report.refused_fields == mending.FIELD_FAULTS + 1
    assert world.calls() < 15


def test_a_field_that_refuses_every_value_is_tried_again_with_one_row_and_no_further_letter(world: World) -> None:
    make_number(world, "Client Run Results", "Client Name")
    for n in range(10):
        world.client(f"c{n}", name=f"Name {n}")
    world.flush()
    letters, at_once = len(world.letters()), replace(FAST, recheck_s=0)
    for _ in range(3):
        world.sandbox.reset_counters()
        report = world.flush(pace=at_once)
        assert (report.ending, report.absent, report.waiting) == ("clean", ("client.Client Name",), 0)
        assert world.calls() == 2, "one row with the value, refused, and without"
    assert len(world.letters()) == letters
    alter(world, "Client Run Results", "Client Name", name="Client Number")
    alter(world, "Client Run Results", "Client Name (old)", name="Client Name")
    world.flush(pace=at_once)
    named = [row["Client Name"] for row in world.clients().values() if "Client Name" in row]
    assert len(named) == 10 - mending.FIELD_FAULTS, "all but the values that were set aside"


def test_a_computed_field_is_left_out_at_once(world: World) -> None:
    alter(world, "Client Run Results", "Errors", name="Errors (old)")
    world.sandbox.add_formula_field("Client Run Results", "Errors", "1+1")
    for n in range(20):
        world.client(f"c{n}", metrics={"Errors": n})
    assert world.flush().absent == ("client.Errors",)
    assert world.calls() == 1 + 2


def test_a_refusal_that_names_no_field_is_searched_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a link field of another kind: `Value is not an array of record IDs.`"""
    alter(world, "Client Run Results", "Job", name="Job (old)")
    world.sandbox.add_formula_field("Client Run Results", "unused", "1")
    table = person(world, "Client Run Results")
    other = person(world, "Job Tracking").schema().id
    alter(world, "Client Run Results", "Client Name", name="Client Name (old)")
    table.create_field("Client Name", "multipleRecordLinks", options={"linkedTableId": other})
    row = world.client("a", name="Jane", metrics={"Errors": 1, "Leads Processed": 2}, notes=["kept"])
    report = world.flush()
    assert report.rows_written == 1
    written = world.clients()[row.row_id]
    assert (written["Errors"], written["Leads Processed"], written["System Notes"]) == (1, 2, "kept")
    assert "Client Name" in [json.loads(letter["origin"])["field"] for letter in world.letters()]


def test_a_new_job_type_becomes_an_option(world: World) -> None:
    world.job(job_type="batch_scoring", **FINISHED)
    assert world.flush().refused_fields == 0
    assert world.jobs()[RUN]["Job Type"] == "batch_scoring"


def test_a_status_that_the_base_lacks_is_set_aside_never_added(world: World) -> None:
    alter(world, "Job Tracking", "Status", name="Status (old)")
    person(world).create_field("Status", "singleSelect", options={"choices": [{"name": "Running"}]})
    world.job(stream=3, **FINISHED)
    report = world.flush()
    assert (report.rows_written, report.refused_fields) == (1, 1)
    assert "Status" not in world.jobs()[RUN]
    assert world.jobs()[RUN]["Stream"] == 3
    assert json.loads(world.letters()[0]["letter"]) == {"Status": "Completed"}


def test_deleted_records_come_back_and_are_linked_again(world: World) -> None:
    job, client = world.job(), world.client("a")
    world.flush()
    old = world.stored(job, "record")
    world.sandbox.delete_records("Job Tracking")
    world.sandbox.delete_records("Client Run Results")
    world.change(job, stream=2)
    world.change(client, metrics={"Errors": 1})
    report = world.flush()
    assert report.ending == "clean"
    assert report.records_lost == 2
    assert world.jobs()[RUN]["record_id"] != old
    assert world.clients()[client.row_id]["Job"] == [world.jobs()[RUN]["record_id"]]
    assert world.clients()[client.row_id]["Errors"] == 1


def test_a_job_deleted_while_only_a_client_changes_comes_back_and_is_linked(world: World) -> None:
    world.job()
    client = world.client("a")
    world.flush()
    world.sandbox.delete_records("Job Tracking")
    world.change(client, metrics={"Errors": 1})
    assert world.flush().waiting == 0
    assert world.clients()[client.row_id]["Job"] == [world.jobs()[RUN]["record_id"]]


def test_duplicates_become_one_the_oldest_and_the_rest_is_kept_as_dead_letters(world: World) -> None:
    table = person(world)
    oldest = table.create({"Run ID": RUN, "System Notes": "oldest"})
    table.create({"Run ID": RUN, "System Notes": "by hand"})
    table.create({"Run ID": RUN, "System Notes": "by hand too"})
    row = world.job(stream=4)
    report = world.flush()
    assert (report.duplicates_merged, report.rows_written) == (2, 1)
    assert world.jobs()[RUN]["record_id"] == oldest["id"] == world.stored(row, "record")
    assert world.jobs()[RUN]["Stream"] == 4
    assert [json.loads(letter["letter"])["System Notes"] for letter in world.letters()] == ["by hand", "by hand too"]


def test_a_key_with_quotes_and_braces_is_found(world: World) -> None:
    table = person(world, "Client Run Results")
    key = f'{RUN}-O\'Neil "{{x}}" \\ & Söhne'
    for _ in range(2):
        table.create({"Run ID": key})
    world.client(key.removeprefix(f"{RUN}-"))
    assert world.flush().duplicates_merged == 1
    assert list(world.clients()) == [key]


def test_a_row_that_airtable_refuses_whole_is_set_aside_until_it_changes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def upsert(self: Airtable, table: str, records: Any, key_field: str, *, typecast: bool = False) -> list[str]:
        if any("bad" in record.fields["Run ID"] for record in records):
            raise AirtableRejected("Airtable answered 422 INVALID_REQUEST_UNKNOWN: no", 422, "INVALID_REQUEST_UNKNOWN")
        return original(self, table, records, key_field, typecast=typecast)

    original = Airtable.upsert
    monkeypatch.setattr(Airtable, "upsert", upsert)
    bad = world.client("bad")
    world.client("good")
    report = world.flush()
    assert (report.rows_written, report.refused_rows, report.waiting) == (1, 1, 0)
    monkeypatch.undo()
    world.change(bad)
    assert world.flush().rows_written == 1


@pytest.mark.parametrize(
    ("broken", "advice"),
    [({"airtable_token": "pat-wrong"}, "RUNTALLY_AIRTABLE_TOKEN"), ({"airtable_base_id": "appDoesNotExist00"}, "runtally airtable check")],
)
def test_a_wrong_token_or_base_is_no_rows_fault(world: World, broken: dict[str, str], advice: str) -> None:
    known = world.settings.model_dump() | broken
    world.job()
    world.settings = load_settings(_env_file=None, **known)
    report = world.flush()
    assert report.ending == "refused"
    assert advice in report.refusal
    assert "pat-" not in report.refusal
    assert world.dirty() == {RUN}
    assert world.letters() == []


def test_without_its_key_field_a_table_takes_no_row_and_the_error_says_so(world: World) -> None:
    alter(world, "Job Tracking", "Run ID", name="ID")
    world.job()
    assert "runtally airtable init" in world.flush().refusal
    assert world.dirty() == {RUN}


def test_a_request_too_large_is_halved_and_a_row_too_large_loses_its_longest_text(world: World) -> None:
    world.sandbox.set_limits(body_bytes=20_000)
    for n in range(8):
        world.client(f"c{n}", notes=["x" * 4_000])
    huge = world.client("huge", notes=["short"], progress=["y" * 50_000])
    report = world.flush()
    assert (report.rows_written, report.refused_fields) == (9, 1)
    written = world.clients()
    assert all(len(written[f"{RUN}-c{n}"]["System Notes"]) == 4_000 for n in range(8))
    assert written[huge.row_id]["System Notes"] == "short"
    assert json.loads(world.letters()[0]["letter"]) == {"Progress Log": "y" * 50_000}


@given(st.sets(st.integers(0, 30)), st.integers(0, 31))
def test_the_search_finds_exactly_the_columns_at_fault(bad: set[int], count: int) -> None:
    columns = [f"c{n}" for n in range(count)]
    at_fault = {f"c{n}" for n in bad if n < count}
    assert set(mending.search(columns, lambda part: bool(at_fault & set(part)))) == at_fault
