"""A bug that one event meets costs that event: a dead letter with the exception; its neighbours count, its own effects do not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from tests.building import RULES, RUN, Ledger, entry, wire
from tests.unit.test_fold_property import EVENTS, numbered, plain
from worker.fold import Known, fold, fold_one_by_one, fold_surely
from worker.fold.working import Working


def note(sequence: int | None, text: str, client: str = "a", **data: Any) -> bytes:
    return wire("client.metrics.updated", client, sequence=sequence, id=f"e-{text}", metrics={"leads_processed": 1}, note=text, **data)


@pytest.fixture
def buggy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold with a bug: a note `boom` raises, after the event's metrics have been counted."""
    line = Working.line

    def broken(self: Working, row: Any, name: str, text: str) -> None:
        if text == "boom":
            raise KeyError("gone")
        line(self, row, name, text)

    monkeypatch.setattr(Working, "line", broken)


@pytest.mark.usefixtures("buggy")
@pytest.mark.parametrize("named", [False, True], ids=["numbered", "named"])
def test_an_event_that_meets_a_bug_is_set_aside_alone_and_once(named: bool) -> None:
    texts = ["one", "boom", "two"]
    batch = entry(1, *(note(None if named else n, text) for n, text in enumerate(texts, 1)), note(1, "three", "b", source="/test/p2"))
    ledger = Ledger()
    changes = fold_surely(RULES, ledger.known, [batch, entry(2, *(note(None if named else n, text) for n, text in enumerate(texts, 1)))])
    row: Any = changes.rows[f"{RUN}-a"]
    assert row.metrics == {"Leads Processed": 2}
    assert (row.events, changes.rows[RUN].metrics) == (2, {"Leads Processed": 3})
    assert [(letter.kind, "KeyError: 'gone' (test_fold_bugs.py:" in letter.reason) for letter in changes.letters] == [("event", True)]
    assert b'"boom"' in changes.letters[0].letter
    assert changes.letters[0].origin["id"] == "e-boom"
    assert {name: changes.counts[name] for name in ("events", "duplicates", "fold_errors", "dead_event", "gaps")} == {
        "events": 4,
        "duplicates": 3,
        "fold_errors": 1,
        "dead_event": 1,
        "gaps": 0,
    }


@pytest.mark.usefixtures("buggy")
def test_an_event_that_is_all_a_row_has_leaves_no_row() -> None:
    changes = fold_surely(RULES, Known(), [entry(1, note(1, "boom"))])
    assert (changes.rows, changes.clients, changes.marks) == ({}, {}, {"/test/p1": 1})


def test_a_bug_met_only_together_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each event folds by itself: then none is to blame."""
    monkeypatch.setattr("worker.fold.one_by_one.fold", fold_unless_together)
    changes = fold_surely(RULES, Known(), [entry(1, note(1, "one"), note(2, "two", "b"))])
    assert changes.rows[RUN].metrics == {"Leads Processed": 2}
    assert (changes.letters, changes.counts["fold_errors"]) == ([], 0)


def fold_unless_together(rules: Any, known: Any, entries: Any) -> Any:
    if sum(len(some.events) for some in entries) > 1:
        raise AssertionError
    return fold(rules, known, entries)


def test_want_of_memory_blames_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(Working, "line", full)
    with pytest.raises(MemoryError):
        fold_surely(RULES, Known(), [entry(1, note(1, "one"))])


@settings(max_examples=200, deadline=None)
@given(EVENTS)
def test_one_by_one_gives_the_rows_and_indexes_of_the_fold(events: list[dict[str, Any]]) -> None:
    sent = numbered(events, named=False)
    entries = [entry(1, *sent[: len(sent) // 2]), entry(2, *sent[len(sent) // 2 :])]
    together, apart = fold(RULES, Known(), entries), fold_one_by_one(RULES, Known(), entries)
    assert {row_id: plain(row) for row_id, row in apart.rows.items()} == {row_id: plain(row) for row_id, row in together.rows.items()}
    for name in ("offset", "received_ms", "marks", "ids", "clients", "runs", "letters", "touched"):
        assert getattr(apart, name) == getattr(together, name), name
    assert +apart.counts == +together.counts
