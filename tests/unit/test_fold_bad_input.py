"""Bad input is set aside, alone and with its reason; all else counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract.status import Status
from tests.building import RUN, Ledger, wire


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


GOOD = {"leads_processed": 2}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("not-a-number", "not-a-number"),
        ("", "empty"),
        (True, "boolean"),
        (None, "null"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (-1, "negative"),
        (1.5, "1.5"),
        (2**63, "does not fit 64 bits"),
        (2**200, "does not fit 64 bits"),
        ([1], "no number"),
        ({"a": 1}, "no number"),
    ],
)
def test_a_value_that_cannot_be_normalised_is_dropped_alone(ledger: Ledger, value: Any, reason: str) -> None:
    ledger.send(wire("client.metrics.updated", sequence=1, metrics={"errors": 3}))
    changes = ledger.send(wire("client.metrics.updated", sequence=2, metrics={"errors": value, **GOOD}))
    assert ledger["a"].metrics == {"Errors": 3, "Leads Processed": 2}
    assert changes.counts["dead_value"] == 1
    (letter,) = changes.letters
    assert letter.kind == "value"
    assert letter.reason.startswith("Errors: ")
    assert letter.origin["subject"] == f"{RUN}-a"
    assert reason.lower() in (letter.reason + letter.letter.decode()).lower()
    assert "value dropped: Errors" in ledger["a"].notes[-1]


def test_numbers_as_text_and_the_largest_integer_count(ledger: Ledger) -> None:
    ledger.send(
        wire("client.metrics.updated", sequence=1, metrics={"errors": "1,234", "Leads Processed": "42", "prompt_tokens": 2**63 - 1})
    )
    ledger.send(wire("client.metrics.updated", sequence=2, metrics={"prompt_tokens": 2**63 - 1}))
    assert ledger["a"].metrics == {"Errors": 1234, "Leads Processed": 42, "Prompt Tokens": 2**64 - 2}
    assert not ledger.letters


def test_an_unknown_status_is_refused_and_the_metrics_beside_it_count(ledger: Ledger) -> None:
    ledger.send(wire("client.run.completed", sequence=1, status="on fire", totals=GOOD))
    assert ledger["a"].status is Status.RUNNING
    assert ledger["a"].metrics == {"Leads Processed": 2}
    assert ledger.letters[0].startswith("status: ")
    assert "on fire" in ledger.letters[0]
    ledger.send(wire("client.metrics.updated", sequence=2, metrics={"Status": "exploded", "errors": 1}))
    assert ledger["a"].metrics["Errors"] == 1
    assert "exploded" in ledger.letters[1]


def test_an_unknown_metric_is_kept_apart_and_reported(ledger: Ledger) -> None:
    ledger.send(wire("client.metrics.updated", sequence=1, metrics={"leads_smiled_at": 3, **GOOD}))
    changes = ledger.send(wire("client.metrics.updated", sequence=2, metrics={"leads_smiled_at": 4}))
    assert ledger["a"].unknown == {"leads_smiled_at": 7}
    assert ledger["a"].metrics == {"Leads Processed": 2}
    assert changes.counts["unknown_metrics"] == 1
    assert sum("leads_smiled_at" in line for line in ledger["a"].notes) == 1
    ledger.send(wire("client.metrics.updated", sequence=3, metrics={f"m{n}": n for n in range(150)}))
    assert len(ledger["a"].unknown) == 100
    assert len(ledger.letters) == 51
    assert sum(line.endswith("value dropped: more than 100 unknown metrics in a row") for line in ledger["a"].notes) == 1
    ledger.send(wire("client.metrics.updated", sequence=4, metrics={"long": "x" * 500, "longer": "x" * 600}))
    assert sum("too large to be kept" in line for line in ledger["a"].notes) == 1


def test_what_an_operator_should_see_is_told_for_the_log(ledger: Ledger) -> None:
    changes = ledger.send(wire("client.metrics.updated", sequence=1, metrics={"smiles": 3, "Posts Examined for Scoring": 0}))
    assert [warned[::2] for warned in changes.warnings] == [("unknown_metric", RUN)]
    changes = ledger.send(wire("client.metrics.updated", sequence=2, metrics={"smiles": 3, "Posts Successfully Scored": 1}))
    assert [(warned.kind, warned.client_id) for warned in changes.warnings] == [("integrity", "a")]
    assert changes.warnings[0].reason in ledger["a"].notes[-1]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (wire("client.metrics.updated", "a", sequence=7, client_id="b", metrics=GOOD), "contradicts"),
        (wire("client.metrics.updated", "a", sequence=7, run_id="250930-141523", metrics=GOOD), "contradicts"),
        (wire("client.metrics.updated", None, sequence=7, metrics=GOOD), "names none"),
        (wire("job.completed", "a", sequence=7), "names a client"),
        (wire("client.exploded", "a", sequence=7), "unknown event type"),
        (wire("client.metrics.updated", "a", sequence=7, run="259999-999999"), "not a run ID"),
        (wire("client.metrics.updated", None, sequence=7, run="SR-250923-001-S1-CJane-Doe"), "standard form"),
        (wire("client.metrics.updated", "a", sequence=7, run="250930-141525"), "belongs to partition"),
        (wire("client.metrics.updated", "a", sequence=7, run_id=5, metrics=GOOD), "run_id"),
        (wire("client.metrics.updated", "a", sequence=7, client_id=["a"], metrics=GOOD, note=5), "client_id"),
        (wire("job.rows.recounted", None, sequence=7, rows=[]), "rows"),
        (wire("client.run.expired", "a", sequence=7, seen_ms="soon"), "seen_ms"),
        (wire("client.metrics.updated", "a", sequence=7).replace(b"+00:00", b"").replace(b"}", b',"data":null}'), "data"),
        (wire("client.metrics.updated", "a", sequence=7).replace(b'"1.0"', b'"9.9"'), "specversion"),
        (wire("client.metrics.updated", "a", sequence=7).replace(b"+00:00", b"").replace(b'Z"', b'"'), "timezone"),
        (b'{"source":"/test/p1","id":"x","sequence":"7"}', "missing required field"),
        (b"[" * 5_000 + b"]" * 5_000, "not an event"),
        (b'"\\ud800"', "not an event"),
        (b"17", "not an event"),
    ],
)
def test_an_invalid_event_is_set_aside_alone(ledger: Ledger, event: bytes, reason: str) -> None:
    good = [wire("client.metrics.updated", sequence=n, metrics=GOOD) for n in (6, 8)]
    changes = ledger.send(good[0], event, good[1])
    assert ledger["a"].metrics == {"Leads Processed": 4}
    assert len(ledger.letters) == 1
    assert reason in ledger.letters[0]
    assert changes.counts["dead_event"] == 1
    again = ledger.send(good[0], event, good[1])
    assert (again.counts["duplicates"], len(again.letters)) == (3, 0), "a repeat is not set aside twice"


@pytest.mark.parametrize("batch", [b"", b"nonsense", b"\xff\xfe", b"null", b"[1,", b'{"a"'])
def test_an_entry_that_is_no_batch_is_set_aside_and_the_next_ones_count(ledger: Ledger, batch: bytes) -> None:
    from contract.events import decode_batch
    from tests.building import entry
    from worker.fold import Entry

    ledger.fold(Entry("5-0", 5, decode_batch(batch)), entry(6, wire("client.metrics.updated", sequence=1, metrics=GOOD)))
    assert len(ledger.letters) == 1
    assert ledger["a"].metrics == {"Leads Processed": 2}


def test_metrics_of_a_job_and_bad_skips_are_set_aside(ledger: Ledger) -> None:
    ledger.send(wire("job.completed", None, sequence=1, metrics={"errors": 1}))
    assert "totals of its clients" in ledger.letters[0]
    ledger.send(wire("client.metrics.updated", sequence=2, skips={"A": -1, "B": 2, "C": "x"}))
    assert ledger["a"].skips == {"B": 2}
    assert len(ledger.letters) == 3
    assert [line.split("Z] ")[1] for line in ledger["a"].notes[1:]] == [
        "value dropped: skips of 'A': -1 is not a count",
        "value dropped: skips of 'C': 'x' is not a count",
    ]


TOTALS = {"leads_processed": 5}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("success", "maybe"),
        ("success", 2),
        ("note", ["x"]),
        ("note", 5),
        ("error", {"code": 5}),
        ("progress", "done"),
        ("progress", {"operation": "scoring"}),
        ("skips", ["QUOTA"]),
        ("client_name", 5),
        ("metrics", None),
        ("stream", "first"),
        ("origin", False),
    ],
)
def test_a_field_that_cannot_be_used_is_dropped_alone(ledger: Ledger, field: str, value: Any) -> None:
    bad = wire("client.run.completed", sequence=2, at=9, totals=TOTALS, **{field: value})
    changes = ledger.send(wire("client.run.started", sequence=1), bad, wire("client.metrics.updated", sequence=3, metrics=GOOD))
    assert ledger["a"].metrics == {"Leads Processed": 7}
    (letter,) = changes.letters
    assert (letter.kind, letter.origin["part"], letter.origin["subject"]) == ("value", "data", f"{RUN}-a")
    assert json.loads(letter.letter) == {field: value}
    assert letter.reason.startswith(f"{field}: ")
    assert ledger["a"].notes[-1].endswith(f"field dropped: {letter.reason}")
    assert changes.counts["dead_value"] == 1
    # Of a success that nobody can read, nobody knows the end.
    assert ledger["a"].status is (Status.RUNNING if field == "success" else Status.COMPLETED)
    assert ledger.send(bad).counts["duplicates"] == 1


@pytest.mark.parametrize(
    ("told", "status"), [("false", Status.FAILED), (0, Status.FAILED), (1, Status.COMPLETED), ("true", Status.COMPLETED)]
)
def test_a_success_may_come_as_text_or_number(ledger: Ledger, told: Any, status: Status) -> None:
    ledger.send(wire("client.run.completed", sequence=1, totals=TOTALS, success=told))
    assert ledger["a"].status is status
    assert not ledger.letters


@pytest.mark.parametrize(("told", "stream"), [("1", 1), (" 1,234 ", 1234), (2.0, 2)])
def test_a_jobs_stream_may_come_as_text(ledger: Ledger, told: Any, stream: int) -> None:
    ledger.send(wire("job.started", None, sequence=1, job_type="scoring", stream=told))
    assert (ledger[None].job_type, ledger[None].stream) == ("scoring", stream)
    assert not ledger.letters


@pytest.mark.parametrize("stream", [2**63, -(2**63) - 1, "one", 1.5, True])
def test_a_stream_that_is_no_number_of_64_bits_costs_the_stream(ledger: Ledger, stream: Any) -> None:
    ledger.send(wire("job.started", None, sequence=1, job_type="scoring", stream=stream))
    assert (ledger[None].job_type, ledger[None].stream, len(ledger.letters)) == ("scoring", None, 1)
    assert "field dropped: stream: " in ledger[None].notes[0]


def test_an_event_with_a_bad_field_that_is_unusable_anyway_is_set_aside_whole(ledger: Ledger) -> None:
    ledger.send(bad := wire("client.exploded", sequence=1, note=5))
    assert ledger.commits[0].letters[0].letter == bad
    assert not ledger.known.rows
