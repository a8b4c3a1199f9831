"""The formula language, as a table, and as pyairtable writes it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyairtable import formulas as f
from pyairtable.api.table import Table

from airtable_sandbox import Sandbox
from airtable_sandbox.formula import FormulaFailed, FormulaInvalid, Scope, Value, evaluate, keeps, parse, with_field_ids

NOON = datetime(2025, 9, 30, 12, tzinfo=UTC)
FIELDS: dict[str, Value] = {"A": 5, "B": "it's", "Empty": None, "When": NOON, "Done": True, "Who": ["Ann", "Bob"], "x}y": "brace"}


def value_of(text: str, fields: dict[str, Value] = FIELDS) -> Value:
    return evaluate(parse(text), Scope("rec1", NOON, fields.__getitem__))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("1.5e2", 150), (".5", 0.5), ("'a'", "a"), ('"a"', "a"), (r"'it\'s'", "it's"), (r"'a\\b'", "a\\b"),
        (r"'\n\t\r\x'", "\n\t\rx"), ("'\n'", "\n"), (r'"\""', '"'), ("''", ""), (r"'\\\''", "\\'"),
        ("{A}", 5), ("A", 5), ("{ B}", None), (r"{x\}y}", "brace"), ("-A", -5), ("--A", 5), ("- 1 + 2", 1),
        ("1+2*3", 7), ("(1+2)*3", 9), ("8/4/2", 1), ("5-3-1", 1), ("1+1&'x'&2*2", "2x4"), ("1=1", True), ("1+1=2", True),
        ("2 > 1 = TRUE()", True), ("'a'='A'", False), ("'a'<'b'", True), ("'10'<'9'", True), ("10<9", False), ("1!=2", True),
        ("{A}>=5", True), ("{A}<=4", False), ("{A}='5'", True), ("{Done}=1", True), ("{Done}=TRUE()", True), ("{Who}='Ann, Bob'", True),
        ("{Empty}=BLANK()", True), ("{Empty}=''", True), ("{Empty}=0", True), ("0=BLANK()", True), ("{A}=BLANK()", False),
        ("{Empty}+1", 1), ("{Empty}&'x'", "x"), ("{Done}+1", 2),
        ("AND(1, 'a', {Done})", True), ("AND(1, 0)", False), ("OR('', {Empty}, 0)", False), ("OR('', 1)", True),
        ("NOT('')", True), ("XOR(1, 1)", False), ("XOR(1, 0)", True),
        ("IF(1, 'y', 'n')", "y"), ("IF('', 'y', 'n')", "n"), ("IF(0, 'y')", None), ("if(1, 2)", 2),
        ("IF({Empty}, DATETIME_DIFF('x', 'y'), 'never')", "never"),
        ("SWITCH({A}, 4, 'four', 5, 'five')", "five"), ("SWITCH({A}, 4, 'four', 'other')", "other"), ("SWITCH({A}, 4, 'four')", None),
        ("LEN('ünï')", 3), ("LEN({Empty})", 0), ("LOWER('ÄB')", "äb"), ("UPPER('äb')", "ÄB"), ("TRIM('  a ')", "a"),
        ("FIND('b', 'abc')", 2), ("FIND('B', 'abc')", 0), ("FIND('a', 'aba', 2)", 3), ("SEARCH('B', 'abc')", 2),
        ("SEARCH('z', 'abc')", None),
        ("LEFT('abc', 2)", "ab"), ("SUBSTITUTE('aXbX', 'X', '-')", "a-b-"), ("CONCATENATE('a', 1, {Empty})", "a1"),
        ("EXACT('a', 'a')", True), ("VALUE('1,234.5')", 1234.5), ("VALUE('$12')", 12), ("VALUE('50%')", 0.5), ("VALUE('-3')", -3),
        ("ABS(-2)", 2), ("INT(-1.5)", -2), ("ROUND(2.5)", 3), ("ROUND(-2.5)", -3), ("ROUND(1.25, 1)", 1.3), ("MOD(7, 3)", 1),
        ("SUM(1, 2, {Empty})", 3), ("MIN(3, 2)", 2), ("MAX(3, {Empty}, 7)", 7),
        ("RECORD_ID()", "rec1"), ("CREATED_TIME()", NOON), ("TRUE()", True), ("FALSE()", False), ("BLANK()", None),
        ("DATETIME_PARSE('2025-09-30T12:00:00.000Z')", NOON), ("DATETIME_PARSE('2025-09-30')", datetime(2025, 9, 30, tzinfo=UTC)),
        ("{When}=DATETIME_PARSE('2025-09-30T12:00:00Z')", True), ("{When}='2025-09-30T12:00:00.000Z'", True), ("{When}>'2025-09-30'", True),
        ("{When}='nonsense'", False), ("{When}!='nonsense'", True), ("{Empty}<DATETIME_PARSE('2025-09-30')", False),
        ("DATETIME_DIFF({When}, '2025-09-30', 'seconds')", 43_200), ("DATETIME_DIFF('2025-09-30', {When}, 'hours')", -12),
        ("DATETIME_DIFF({When}, '2025-09-30', 'days')", 0), ("DATETIME_DIFF({When}, '2025-09-30', 'minute')", 720),
        ("DATETIME_DIFF({When}, '2025-09-30')", 43_200_000), ("DATETIME_DIFF({When}, '2025-09-30', 'h')", 12),
        ("IS_AFTER({When}, '2025-09-30')", True), ("IS_BEFORE({When}, '2025-09-30')", False), ("IS_AFTER({Empty}, {When})", False),
        ("IS_SAME({When}, '2025-09-30', 'day')", True), ("IS_SAME({When}, '2025-09-30')", False),
        ("IFERROR(1/0, 'none')", "none"), ("IFERROR('a'+1, 'none')", "none"), ("ISERROR(ERROR())", True), ("ISERROR(1)", False),
    ],
)  # fmt: skip
def test_value(text: str, value: Value) -> None:
    fields = FIELDS | {" B": None}
    assert value_of(text, fields) == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "(", "1 +", "1 2", "'open", "{open",
     "AND(", "AND()", "IF(1)", "LEN()", "LEN(1, 2)", "NOPE(1)", "1)", "=", "a.b", "#", ",", "LEN 'a'"],
)  # fmt: skip
def test_text_that_is_no_formula(text: str) -> None:
    with pytest.raises(FormulaInvalid):
        parse(text)


@pytest.mark.parametrize("text", ["'a'+1", "-'a'", "DATETIME_DIFF('x', 'y')", "IS_AFTER('x', {When})", "VALUE('x')", "ERROR()", "{When}+1"])
def test_a_formula_without_a_value(text: str) -> None:
    with pytest.raises(FormulaFailed):
        value_of(text)


@pytest.mark.parametrize("value", [0, False, "", None, float("nan"), []])
def test_a_filter_drops_these(value: Value) -> None:
    assert not keeps(value)


@pytest.mark.parametrize("text", ["1/0", "DATETIME_DIFF({When}, {Empty}, 'seconds')"])
def test_not_a_number(text: str) -> None:
    result = value_of(text)
    assert result != result  # noqa: PLR0124 - NaN differs from itself


@given(st.text())
def test_parsing_any_text_gives_a_tree_or_says_invalid(text: str) -> None:
    try:
        parse(text)
    except FormulaInvalid:
        return


@given(st.text())
@example("\\")
@example("\\'")
@example("'")
@example('"{}\\n\0\u2028')
def test_any_text_survives_pyairtables_escaping(text: str) -> None:
    assert evaluate(parse(f.to_formula_str(text)), Scope("rec1", NOON, FIELDS.__getitem__)) == text
    assert value_of(str(f.match({"F": text})), {"F": text}) is True
    assert value_of(str(f.match({"F": text})), {"F": text + "x"}) is False


@given(st.text(min_size=1).filter(lambda name: "\\" not in name))
def test_any_field_name_survives_pyairtables_escaping(name: str) -> None:
    assert value_of(str(f.Field(name).eq("v")), {name: "v"}) is True


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=1, max_size=200))
def test_any_text_is_found_again_over_http(jobs: Table, text: str) -> None:
    record = jobs.create({"Run ID": text})
    assert record["fields"] == {"Run ID": text}
    assert record["id"] in {found["id"] for found in jobs.all(formula=f.match({"Run ID": text}))}
    upserted = jobs.batch_upsert([{"fields": {"Run ID": text, "Notes": text}}], key_fields=["Run ID"])
    assert upserted["updatedRecords"] == [record["id"]]
    jobs.delete(record["id"])


def test_pyairtables_builders_find_what_they_say(jobs: Table) -> None:
    made = jobs.batch_create([
        {"Run ID": "a", "Leads": 1, "Done": True, "Start Time": "2025-09-30T12:00:00Z", "Status": "Running"},
        {"Run ID": "b", "Leads": 5, "Day": "2025-09-30", "Status": "Completed", "Tags": ["red", "blue"]},
        {"Run ID": "c"},
    ])  # fmt: skip

    def found(formula: Any) -> str:
        return "".join(record["fields"]["Run ID"] for record in jobs.all(formula=formula))

    assert found(f.match({"Leads": 5, "Run ID": "b"})) == "b"
    assert found(f.match({"Leads": (">", 0)})) == "ab"
    assert found(f.match({"Done": True})) == "a"
    assert found(f.match({"Start Time": datetime(2025, 9, 30, 12, tzinfo=UTC)})) == "a"
    assert found(f.match({"Day": date(2025, 9, 30)})) == "b"
    assert found(f.match({"Run ID": "a", "Status": "Completed"}, match_any=True)) == "ab"
    assert found(f.Field("Leads").eq(f.BLANK())) == "c"
    assert found(f.NOT(f.Field("Run ID").eq("a")) & f.Field("Leads").gt(0)) == "b"
    assert found(f.FIND("red", f.Field("Tags"))) == "b"
    assert found(f.RECORD_ID().eq(made[2]["id"])) == "c"
    assert found(f.IS_AFTER(f.CREATED_TIME(), "2020-01-01")) == "abc"
    assert found("'a'+1") == ""


def test_formula_fields_are_computed_on_read(jobs: Table, sandbox: Sandbox) -> None:
    seconds = "IF({End Time}, DATETIME_DIFF({End Time}, {Start Time}, 'seconds'))"
    for name, text in {"Duration": seconds, "Twice": "Duration*2", "Bad": "{Run ID}+1", "Nan": "1/0", "At": "CREATED_TIME()"}.items():
        sandbox.add_formula_field(jobs.id, name, text, jobs.base.id)
    record = jobs.create({"Run ID": "x", "Start Time": "2025-09-30T12:00:00Z", "End Time": "2025-09-30T12:01:40Z"})
    computed = {name: value for name, value in record["fields"].items() if name in {"Duration", "Twice", "Bad", "Nan", "At"}}
    assert computed == {
        "Duration": 100,
        "Twice": 200,
        "Bad": {"error": "#ERROR!"},
        "Nan": {"specialValue": "NaN"},
        "At": record["createdTime"],
    }
    assert "Duration" not in jobs.update(record["id"], {"End Time": None})["fields"]


def test_a_formula_field_survives_a_rename(jobs: Table, sandbox: Sandbox) -> None:
    field = sandbox.add_formula_field(jobs.id, "Twice", "{Leads}*2+LEN('{Leads}')", jobs.base.id)
    leads = jobs.schema().field("Leads")
    assert field["options"]["formula"] == f"{{{leads.id}}}*2+LEN('{{Leads}}')"
    assert field["options"]["referencedFieldIds"] == [leads.id]
    leads.name = "Leads Processed"
    leads.save()
    assert jobs.create({"Leads Processed": 4})["fields"]["Twice"] == 15


def test_with_field_ids_touches_fields_only() -> None:
    ids = {"A": "fldA", "B c": "fldB"}
    assert with_field_ids("IF(A, {B c} , 'A {A}') ", ids.__getitem__) == "IF({fldA}, {fldB} , 'A {A}') "


def test_a_formula_field_that_cannot_be_is_refused(jobs: Table, sandbox: Sandbox) -> None:
    for text in ("{Nope}", "1 +", "NOPE()"):
        with pytest.raises(RuntimeError, match="422"):
            sandbox.add_formula_field(jobs.id, "F", text, jobs.base.id)
