"""A row's values for Airtable: never a default in place of a value, never a rounded or capped one unsaid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contract.errors import SettingsInvalid
from contract.registry import load_registry
from contract.status import Status
from worker.flush.columns import MAX_TEXT, client_columns, client_fields, job_columns, job_fields
from worker.flush.naming import load_naming
from worker.rows import ClientRow, JobRow

REGISTRY = load_registry()
AT = datetime(2025, 9, 30, 14, 15, 22, 123456, tzinfo=UTC)


def client(**values: Any) -> dict[str, Any]:
    return client_fields(ClientRow(**({"run": "250930-141522", "client": "a"} | values)), REGISTRY, None)


def job(**values: Any) -> dict[str, Any]:
    return job_fields(JobRow(**({"run": "250930-141522"} | values)), REGISTRY)


def test_a_metric_never_reported_is_absent_and_a_zero_is_a_value() -> None:
    fields = client(metrics={"Errors": 0})
    assert fields["Errors"] == 0
    assert "Leads Processed" not in fields


def test_only_columns_of_the_table_are_written_and_never_the_formula() -> None:
    row = ClientRow(run="250930-141522", client="a", metrics={metric.name: 1 for metric in REGISTRY.metrics if metric.type == "integer"})
    assert set(client_fields(row, REGISTRY, "rec1")) <= {column.name for column in client_columns(REGISTRY)} - {"Duration"}
    assert set(job(metrics=row.metrics)) <= {column.name for column in job_columns(REGISTRY)} - {"Duration"}


def test_the_end_stands_only_on_finished_rows() -> None:
    assert client(end=AT)["End Time"] is None
    assert client(end=AT, status=Status.FAILED)["End Time"] == "2025-09-30T14:15:22.123Z"


def test_times_are_utc_and_a_reported_start_or_end_widens_them() -> None:
    local = AT.astimezone(timezone(timedelta(hours=2)))
    assert client(start=local)["Start Time"] == "2025-09-30T14:15:22.123Z"
    told = {"Start Time": "2025-09-30T10:00:00.000000Z", "End Time": "2025-09-30T10:00:00.000000Z"}
    fields = client(start=AT, end=AT, status=Status.COMPLETED, metrics=told)
    assert fields["Start Time"] == "2025-09-30T10:00:00.000Z"
    assert fields["End Time"] == "2025-09-30T14:15:22.123Z"


def test_status_is_the_exact_word() -> None:
    assert [job(status=status)["Status"] for status in Status] == ["Running", "Completed", "Failed", "No Leads To Score"]


def test_a_rate_without_denominator_is_empty_and_above_one_is_one() -> None:
    assert client()["Profile Scoring Success Rate"] is None
    counted = {"Profiles Examined for Scoring": 3, "Profiles Successfully Scored": 2}
    assert client(metrics=counted)["Profile Scoring Success Rate"] == pytest.approx(2 / 3)
    assert client(metrics=counted | {"Profiles Successfully Scored": 9})["Profile Scoring Success Rate"] == 1


def test_the_jobs_rate_is_that_of_the_clients_that_ended() -> None:
    clients = {Status.COMPLETED: 2, Status.FAILED: 1, Status.NO_LEADS: 1, Status.RUNNING: 5}
    fields = job(clients=clients, with_errors=3, ended_with_errors=1)
    assert (fields["Clients Processed"], fields["Clients With Errors"], fields["Success Rate"]) == (4, 3, 0.75)
    assert job(clients={Status.RUNNING: 1}, with_errors=1)["Success Rate"] is None


def test_a_jobs_notes_say_what_cannot_be_true_of_its_rates(tmp_path: Path) -> None:
    path = tmp_path / "metrics.toml"
    path.write_text('[rates."Share"]\nnumerator = "Errors"\ndenominator = "Leads Processed"\ntables = ["job"]')
    registry = load_registry(path)
    row = JobRow(run="250930-141522", notes=["first"], metrics={"Errors": 3, "Leads Processed": 2})
    fields = job_fields(row, registry)
    assert fields["Share"] == 1
    assert fields["System Notes"] == "first\nintegrity: Errors exceeds Leads Processed; Share is shown as 100 %"
    row.metrics["Leads Processed"] = 3
    assert job_fields(row, registry)["System Notes"] == "first"


def test_integers_beyond_doubles_go_out_whole_and_decimals_as_numbers() -> None:
    fields = client(metrics={"Prompt Tokens": 2**63 - 1, "Apify API Costs": Decimal("0.30")})
    assert fields["Prompt Tokens"] == 2**63 - 1
    assert fields["Apify API Costs"] == 0.3


def test_total_tokens_falls_back_for_a_client_and_not_for_a_job() -> None:
    parts = {"Profile Scoring Tokens": 3, "Post Scoring Tokens": 4}
    assert client(metrics=parts)["Total Tokens"] == 7
    assert "Total Tokens" not in job(metrics=parts)


def test_skips_and_unknown_metrics_stand_in_the_notes() -> None:
    fields = client(notes=["first"], skips={"QUOTA": 1, "NO_CONTENT": 3}, unknown={"demos": 2})
    assert fields["System Notes"] == "first\nSkipped: NO_CONTENT 3, QUOTA 1\nUnknown metrics: demos = 2"
    assert client()["System Notes"] is None


@pytest.mark.parametrize("letter", ["x", "é", "😀"])
def test_a_text_too_long_for_a_cell_keeps_its_end_and_says_so(letter: str) -> None:
    text = client(progress=[letter * 300_000, "the end"])["Progress Log"]
    assert text.startswith("(cut: ")
    assert text.endswith("the end")
    assert MAX_TEXT - 2 <= len(text.encode("utf-16-le")) / 2 <= MAX_TEXT


def test_a_text_that_just_fits_is_whole() -> None:
    assert client(progress=["x" * MAX_TEXT])["Progress Log"] == "x" * MAX_TEXT


@pytest.mark.parametrize(
    "section",
    [
        '[airtable]\ntable = "Jobs"',
        '[airtable]\njob_table = ""',
        '[airtable.client_fields]\n"Eror" = "x"',
        '[airtable.client_fields]\n"Errors" = 5',
        '[airtable.client_fields]\n"Errors" = "Status"',
        'airtable = "Jobs"',
        "[airtable",
    ],
)
def test_wrong_names_are_refused_with_what_would_be_right(section: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.toml"
    path.write_text(section)
    with pytest.raises(SettingsInvalid, match=str(path)):
        load_naming(path, REGISTRY)
