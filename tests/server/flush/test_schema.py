"""`runtally airtable init` makes what is missing and touches nothing else; `check` says what is left and how to mend it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyairtable import Api
from typer.testing import CliRunner

from cli.airtable import airtable
from contract.registry import load_registry
from worker.flush.columns import client_columns, job_columns
from worker.flush.naming import Naming
from worker.flush.schema import check_base, duration_formula, init_base

from .conftest import FINISHED, TOKEN, World


def test_init_makes_both_tables_and_leaves_only_the_formulas(empty_world: World) -> None:
    world = empty_world
    prepared = init_base(world.settings, world.link, world.registry)
    assert prepared.made == ("Job Tracking", "Client Run Results")
    assert [(fault.table, fault.field) for fault in prepared.by_hand] == [("Job Tracking", "Duration"), ("Client Run Results", "Duration")]
    assert "DATETIME_DIFF" in prepared.by_hand[0].mend
    assert check_base(world.settings, world.link, world.registry) == list(prepared.by_hand)


def test_with_the_formula_added_nothing_is_left_and_durations_are_right(empty_world: World) -> None:
    world = empty_world
    init_base(world.settings, world.link, world.registry)
    for table in ("Job Tracking", "Client Run Results"):
        world.sandbox.add_formula_field(table, "Duration", duration_formula(Naming().job))
    assert check_base(world.settings, world.link, world.registry) == []
    finished = world.job(**FINISHED)
    running = world.job(run="250930-150000")
    world.flush()
    assert world.jobs()[finished.row_id]["Duration"] == 0
    assert "Duration" not in world.jobs()[running.row_id]


def test_a_dry_run_says_what_it_would_make_and_makes_nothing(empty_world: World) -> None:
    world = empty_world
    prepared = init_base(world.settings, world.link, world.registry, dry_run=True)
    assert prepared.made == ("Job Tracking", "Client Run Results")
    assert {fault.fault for fault in check_base(world.settings, world.link, world.registry)} == {"the table is missing"}


def test_init_again_makes_nothing(world: World) -> None:
    assert init_base(world.settings, world.link, world.registry).made == ()


def test_only_the_missing_field_is_made(world: World) -> None:
    api = Api(TOKEN, endpoint_url=world.sandbox.human_url)
    table = api.table(world.base_id, "Client Run Results").schema()
    field = next(field for field in table.fields if field.name == "Errors")
    fields_url = f"{world.sandbox.human_url}/v0/meta/bases/{world.base_id}/tables/{table.id}/fields"
    api.patch(f"{fields_url}/{field.id}", json={"name": "Fehler"})
    assert init_base(world.settings, world.link, world.registry, dry_run=True).made == ("Client Run Results.Errors",)
    assert init_base(world.settings, world.link, world.registry).made == ("Client Run Results.Errors",)


def test_a_field_of_the_wrong_type_is_reported_with_its_mend_and_not_touched(empty_world: World) -> None:
    world = empty_world
    api = Api(TOKEN, endpoint_url=world.sandbox.human_url)
    fields = [
        {"name": "Run ID", "type": "singleLineText"},
        {"name": "Stream", "type": "singleLineText"},
        {"name": "Status", "type": "singleSelect", "options": {"choices": [{"name": "Running"}, {"name": "Failed"}]}},
    ]
    api.base(world.base_id).create_table("Job Tracking", fields)
    prepared = init_base(world.settings, world.link, world.registry)
    faults = {(fault.table, fault.field): fault for fault in prepared.by_hand}
    assert "change its type to number" in faults["Job Tracking", "Stream"].mend
    assert "Completed, No Leads To Score" in faults["Job Tracking", "Status"].fault
    assert "Job Tracking.Stream" not in prepared.made


def test_tables_and_fields_under_names_of_ones_own(empty_world: World, tmp_path: Path) -> None:
    world = empty_world
    names = tmp_path / "metrics.toml"
    names.write_text(
        '[metrics."Demos Booked"]\ntype = "integer"\n'
        '[airtable]\njob_table = "Jobs"\nclient_table = "Clients"\n'
        '[airtable.client_fields]\n"Run ID" = "Key"\n"Errors" = "Fehler"\n"Job" = "Parent"\n'
        '[airtable.job_fields]\n"Stream" = "Lane"\n'
    )
    world.settings = world.settings.model_copy(update={"metrics_file": names})
    world.registry = load_registry(names)
    assert init_base(world.settings, world.link, world.registry).made == ("Jobs", "Clients")
    job = world.job(stream=2)
    client = world.client("a", metrics={"Errors": 1, "Demos Booked": 4})
    assert world.flush().refused_fields == 0
    (job_record,) = world.sandbox.records("Jobs")
    (client_record,) = world.sandbox.records("Clients")
    assert job_record["fields"]["Lane"] == 2
    assert client_record["fields"]["Key"] == client.row_id
    assert client_record["fields"]["Fehler"] == 1
    assert client_record["fields"]["Demos Booked"] == 4
    assert client_record["fields"]["Parent"] == [job_record["id"]]
    assert job.row_id == job_record["fields"]["Run ID"]


def test_both_tables_have_the_columns_of_the_specification() -> None:
    registry = load_registry()
    jobs = [column.name for column in job_columns(registry)]
    clients = [column.name for column in client_columns(registry)]
    assert jobs[:7] == ["Run ID", "Job Type", "Stream", "Status", "Start Time", "End Time", "Duration"]
    assert {"Clients Processed", "Clients With Errors", "Success Rate", "Total Tokens", "Apify API Costs", "Last Updated"} <= set(jobs)
    assert not {"Apify Run ID", "Apify Status"} & set(jobs), "texts have no total"
    assert {"Client ID", "Job", "Apify Run ID", "Apify Status", "Profile Scoring Success Rate", "Post Scoring Success Rate"} <= set(clients)
    assert len(set(jobs)) == len(jobs)
    assert len(set(clients)) == len(clients)


def test_the_commands_make_check_and_say_what_is_left(empty_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = empty_world.settings
    values = {"REDIS_URL": settings.redis_url.get_secret_value(), "AIRTABLE_URL": settings.airtable_url, "AIRTABLE_TOKEN": TOKEN}
    for name, value in (values | {"AIRTABLE_BASE_ID": empty_world.base_id}).items():
        monkeypatch.setenv(f"RUNTALLY_{name}", value)
    run = CliRunner().invoke

    assert run(airtable, ["check"]).exit_code == 1
    assert "would make Job Tracking" in run(airtable, ["init", "--dry-run"]).output
    made = [json.loads(line) for line in run(airtable, ["init", "--json"]).output.splitlines()]
    assert made[0] == {"made": "Job Tracking", "dry_run": False}
    assert made[-1]["field"] == "Duration"
    assert "DATETIME_DIFF" in run(airtable, ["init"]).output.replace("\n", "")
    checked = run(airtable, ["check", "--json"])
    assert [json.loads(line)["field"] for line in checked.output.splitlines()] == ["Duration", "Duration"]
    assert checked.exit_code == 1
    for table in ("Job Tracking", "Client Run Results"):
        empty_world.sandbox.add_formula_field(table, "Duration", duration_formula(Naming().job))
    assert run(airtable, ["check"]).exit_code == 0
