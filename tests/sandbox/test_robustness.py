"""Whatever is sent, the answer is one of Airtable's: never a crash, and never half a write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyairtable.api.table import Table

from airtable_sandbox import FIRST_BASE_ID
from airtable_sandbox.formula import FormulaFailed, evaluate, fields_of, parse
from airtable_sandbox.formula.functions import ARGUMENTS
from airtable_sandbox.routes import ApiRequest, answer
from airtable_sandbox.workspace import Workspace
from tests.sandbox.conftest import FIELDS
from tests.sandbox.test_formula import FIELDS as VALUES
from tests.sandbox.test_formula import NOON, Scope, value_of

WORDS = [
    "fields", "records", "id", "performUpsert", "fieldsToMergeOn", "typecast", "name", "type", "options", "choices", "precision",
    "dateFormat",
    "timeFormat", "timeZone", "linkedTableId", "sort", "field", "direction", "filterByFormula", "offset", "pageSize", "description",
    "singleSelect", "dateTime", "number", "multipleRecordLinks", "utc", "iso", *(field["name"] for field in FIELDS),
]  # fmt: skip
TEXT = st.sampled_from(WORDS) | st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
BODY = st.dictionaries(TEXT, JSON, max_size=5)
FIELD_VALUES = st.dictionaries(st.sampled_from([field["name"] for field in FIELDS]), JSON, min_size=1, max_size=3)


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    opened = Workspace(":memory:")
    assert answer(opened, ApiRequest("POST", ["meta", "bases", FIRST_BASE_ID, "tables"], [], {"name": "T", "fields": FIELDS})).status == 200
    assert answer(opened, ApiRequest("POST", [FIRST_BASE_ID, "T"], [], {"fields": {"Run ID": "a"}})).status == 200
    yield opened
    opened.close()


PATHS = [
    ("POST", [FIRST_BASE_ID, "T"]),
    ("PATCH", [FIRST_BASE_ID, "T"]),
    ("PUT", [FIRST_BASE_ID, "T"]),
    ("POST", [FIRST_BASE_ID, "T", "listRecords"]),
    ("POST", ["meta", "bases", FIRST_BASE_ID, "tables"]),
    ("PATCH", ["meta", "bases", FIRST_BASE_ID, "tables", "T"]),
    ("POST", ["meta", "bases", FIRST_BASE_ID, "tables", "T", "fields"]),
    ("PATCH", ["meta", "bases", FIRST_BASE_ID, "tables", "T", "fields", "Status"]),
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(where=st.sampled_from(PATHS), body=BODY)
@example(where=PATHS[5], body={"name": []})
@example(where=PATHS[4], body={"name": "U", "fields": [{"name": "a", "type": {}}]})
@example(where=PATHS[6], body={"name": "d", "type": "date", "options": {"dateFormat": {"name": []}}})
@example(where=PATHS[3], body={"sort": [{"field": "Run ID", "direction": []}]})
def test_any_body_gets_an_answer(workspace: Workspace, where: tuple[str, list[str]], body: dict[str, Any]) -> None:
    method, path = where
    with_safe_name = body | {"name": "T"} if path[-1] == "T" and method == "PATCH" and body.get("name") else body
    assert answer(workspace, ApiRequest(method, path, [], with_safe_name)).status in {200, 403, 422}


@settings(max_examples=300, deadline=None)
@given(fields=FIELD_VALUES, typecast=st.booleans())
def test_any_values_are_stored_or_refused_whole(workspace: Workspace, fields: dict[str, Any], typecast: bool) -> None:
    body = {"records": [{"fields": {"Run ID": "first"}}, {"fields": fields}], "typecast": typecast}
    table = workspace.table(FIRST_BASE_ID, "T").id
    before = workspace.rows.count(table)
    status = answer(workspace, ApiRequest("POST", [FIRST_BASE_ID, "T"], [], body)).status
    assert (status, workspace.rows.count(table)) in {(200, before + 2), (422, before)}


ARGUMENT = st.sampled_from(
    ["1", "0", "-1", "1e308", "1/0", "'a'", "''", "{A}", "{Empty}", "{When}", "{Who}", "BLANK()", "TRUE()", "999", "'days'"]
)


@given(st.sampled_from(sorted(ARGUMENTS)), st.lists(ARGUMENT, min_size=3, max_size=3))
@example("ROUND", ["1", "999", "1"])
@example("LEFT", ["'a'", "1/0", "1"])
def test_any_function_of_anything_has_a_value_or_fails(function: str, arguments: list[str]) -> None:
    least, most = ARGUMENTS[function]
    text = f"{function}({', '.join(arguments[: max(least, min(most, 3))])})"
    try:
        evaluate(parse(text), Scope("rec1", NOON, VALUES.__getitem__))
    except FormulaFailed:
        return


def test_a_very_long_chain_is_no_problem() -> None:
    text = "+".join(["{A}"] * 20_000)
    assert value_of(text) == 100_000
    assert fields_of(parse(text)) == ["A"]


def test_a_large_body_that_is_refused_unread_does_not_spoil_the_connection(jobs: Table, sandbox: Any) -> None:
    with httpx2.Client(base_url=sandbox.url) as client:
        for _ in range(3):
            assert client.post("/v0/meta/whoami", content=b"x" * 3_000_000).status_code == 401
            assert client.get("/v0/meta/whoami", headers={"Authorization": f"Bearer {sandbox.token}"}).status_code == 200


def test_one_file_has_one_owner(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.db")
    first = Workspace(path)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        Workspace(path)
    first.close()
    Workspace(path).close()


def test_a_file_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(b"no database at all" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        Workspace(str(other))
