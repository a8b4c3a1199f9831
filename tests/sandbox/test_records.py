"""The records API as pyairtable uses it."""

from __future__ import annotations

import pytest
from pyairtable import Api
from pyairtable.api.table import Table
from pyairtable.formulas import match

from airtable_sandbox import Sandbox


def test_values_come_back_as_airtable_writes_them(jobs: Table) -> None:
    sent = {
        "Run ID": "250930-141522",
        "Status": "Running",
        "Tags": ["blue", "red", "blue"],
        "Leads": 42.0,
        "Rate": 0.8333333333,
        "Cost": 1.25,
        "Done": True,
        "Start Time": "2025-09-30T16:15:22.123456+02:00",
        "Day": "2025-09-30",
        "Notes": "two\nlines",
        "Link": "https://example.org/?a=1",
        "Mail": "a@example.org",
    }
    fields = jobs.create(sent)["fields"]
    assert fields == sent | {"Tags": ["blue", "red"], "Leads": 42, "Start Time": "2025-09-30T14:15:22.123Z"}
    assert isinstance(fields["Leads"], int)


@pytest.mark.parametrize("empty", [{"Notes": ""}, {"Notes": None}, {"Tags": []}, {"Done": False}, {"Leads": None}, {"Status": None}])
def test_an_empty_value_clears_the_cell_and_is_left_out(jobs: Table, empty: dict[str, object]) -> None:
    full = {"Run ID": "x", "Notes": "n", "Tags": ["red"], "Done": True, "Leads": 0, "Status": "Running"}
    record = jobs.create(full)
    (name,) = empty
    assert jobs.update(record["id"], empty)["fields"] == {key: value for key, value in full.items() if key != name}


def test_zero_is_a_value(jobs: Table) -> None:
    assert jobs.create({"Run ID": "x", "Leads": 0})["fields"]["Leads"] == 0


def test_put_empties_what_it_does_not_name(jobs: Table) -> None:
    record = jobs.create({"Run ID": "x", "Leads": 1})
    assert jobs.update(record["id"], {"Notes": "n"}, replace=True)["fields"] == {"Notes": "n"}


def test_batches_update_and_delete(jobs: Table) -> None:
    made = jobs.batch_create([{"Run ID": str(number)} for number in range(12)])
    jobs.batch_update([{"id": record["id"], "fields": {"Leads": 7}} for record in made])
    assert {record["fields"]["Leads"] for record in jobs.all()} == {7}
    gone = jobs.batch_delete([record["id"] for record in made[:11]])
    assert [record["deleted"] for record in gone] == [True] * 11
    assert [record["id"] for record in jobs.all()] == [made[11]["id"]]
    assert jobs.delete(made[11]["id"]) == {"id": made[11]["id"], "deleted": True}


def test_tables_and_fields_go_by_name_or_by_id(api: Api, jobs: Table) -> None:
    by_name = api.table(jobs.base.id, "Job Tracking")
    field = jobs.schema().field("Leads").id
    record = by_name.create({field: 3})
    assert record["fields"] == {"Leads": 3}
    assert by_name.get(record["id"], use_field_ids=True)["fields"] == {field: 3}
    assert by_name.all(use_field_ids=True, fields=["Leads"])[0]["fields"] == {field: 3}


def test_a_table_may_have_a_slash_in_its_name(api: Api, jobs: Table) -> None:
    jobs.base.create_table("a/b ünïcode?", [{"name": "N", "type": "singleLineText"}])
    assert api.table(jobs.base.id, "a/b ünïcode?").create({"N": "x"})["fields"] == {"N": "x"}


def test_get_finds_a_record_of_another_table_of_the_base(jobs: Table, clients: Table) -> None:
    record = jobs.create({"Run ID": "x"})
    assert clients.get(record["id"]) == record


def test_typecast_makes_options_and_reads_text(jobs: Table) -> None:
    record = jobs.create({"Run ID": 5, "Status": "Paused", "Tags": "green,red", "Leads": "1,234", "Done": "true"}, typecast=True)
    assert record["fields"] == {"Run ID": "5", "Status": "Paused", "Tags": ["green", "red"], "Leads": 1234, "Done": True}
    choices = jobs.schema(force=True).field("Status").options.choices
    assert [choice.name for choice in choices] == ["Running", "Completed", "Paused"]


def test_pages_follow_one_another(jobs: Table, sandbox: Sandbox) -> None:
    made = jobs.batch_create([{"Run ID": str(number)} for number in range(25)])
    sandbox.reset_counters()
    pages = list(jobs.iterate(page_size=10))
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [record["id"] for page in pages for record in page] == [record["id"] for record in made]
    assert sandbox.counters()["calls_by_endpoint"] == {"GET /v0/{base}/{table}": 3}
    assert len(jobs.all(max_records=12, page_size=5)) == 12


def test_a_list_in_progress_is_a_snapshot(jobs: Table) -> None:
    jobs.batch_create([{"Run ID": str(number)} for number in range(6)])
    pages = jobs.iterate(page_size=2)
    first = next(pages)
    jobs.create({"Run ID": "late"})
    jobs.batch_delete([record["id"] for record in first])
    assert [record["fields"]["Run ID"] for page in pages for record in page] == ["2", "3", "4", "5"]


def test_sorting(jobs: Table) -> None:
    jobs.batch_create([
        {"Run ID": "b", "Leads": 2, "Status": "Completed"},
        {"Run ID": "A", "Leads": 2, "Status": "Running"},
        {"Run ID": "c", "Leads": 1},
    ])  # fmt: skip

    def order(*keys: str) -> str:
        return "".join(record["fields"]["Run ID"] for record in jobs.all(sort=list(keys)))

    assert order("Run ID") == "Abc"
    assert order("-Run ID") == "cbA"
    assert order("-Leads", "Run ID") == "Abc"
    assert order("Status") == "cAb"  # empty first, then in the order of the options


def test_a_long_formula_goes_by_post(jobs: Table, sandbox: Sandbox) -> None:
    jobs.create({"Run ID": "y" * 20_000})
    sandbox.reset_counters()
    found = jobs.first(formula=match({"Run ID": "y" * 20_000}))
    assert found is not None
    assert sandbox.counters()["calls_by_endpoint"] == {"POST /v0/{base}/{table}/listRecords": 1}


def test_links_show_on_both_sides(jobs: Table, clients: Table) -> None:
    first, second = jobs.batch_create([{"Run ID": "250930-141522"}, {"Run ID": "other"}])
    row = clients.create({"Run ID": "a", "Job": [first["id"], first["id"]]})
    assert row["fields"]["Job"] == [first["id"]]
    assert jobs.get(first["id"])["fields"]["Client Run Results"] == [row["id"]]
    assert clients.all(formula="{Job}='250930-141522'") == [row]

    jobs.update(second["id"], {"Client Run Results": [row["id"]]})
    assert clients.get(row["id"])["fields"]["Job"] == [first["id"], second["id"]]
    clients.update(row["id"], {"Job": [second["id"]]})
    assert "Client Run Results" not in jobs.get(first["id"])["fields"]
    jobs.delete(second["id"])
    assert "Job" not in clients.get(row["id"])["fields"]


def test_typecast_links_by_the_primary_value(jobs: Table, clients: Table) -> None:
    job = jobs.create({"Run ID": "there"})
    row = clients.create({"Run ID": "a", "Job": ["there", "new"]}, typecast=True)
    assert row["fields"]["Job"][0] == job["id"]
    assert [record["fields"]["Run ID"] for record in jobs.all()] == ["there", "new"]


def test_comment_counts_can_be_asked_for(jobs: Table) -> None:
    jobs.create({"Run ID": "x"})
    assert jobs.all(count_comments=True)[0]["commentCount"] == 0
