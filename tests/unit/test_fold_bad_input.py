"""Bad input is set aside, alone and with its reason; all else counts."""

from __future__ import annotations

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
        (wire("client.metrics.updated", "a", sequence=7, note=5), "note"),
        (wire("client.metrics.updated", "a", sequence=7).replace(b'"1.0"', b'"9.9"'), "specversion"),
        (wire("client.metrics.updated", "a", sequence=7).replace(b"+00:00", b"").replace(b'Z"', b'"'), "timezone"),
        (wire("job.started", None, sequence=7, stream=2**63), "stream"),
        (wire("job.started", None, sequence=7, stream=-(2**63) - 1), "stream"),
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
