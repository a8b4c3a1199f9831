"""Cells and values: what Airtable keeps differently is no difference, and everything else is."""

from __future__ import annotations

from typing import Any

import pytest

from worker.flush.columns import Column, Kind
from worker.verify.cells import differences, same, shown


@pytest.mark.parametrize(
    ("kind", "wanted", "found"),
    [
        (Kind.INTEGER, 0, 0),
        (Kind.INTEGER, 2**63 - 1, float(2**63 - 1)),
        (Kind.INTEGER, 5, 5.0),
        (Kind.DECIMAL, 0.1 + 0.2, 0.3),
        (Kind.PERCENT, None, None),
        (Kind.TIME, "2025-09-30T14:15:22.123Z", "2025-09-30T14:15:22.123456+00:00"),
        (Kind.TIME, "2025-09-30T00:00:00.000Z", "2025-09-30"),
        (Kind.LONG_TEXT, "a\nb", "a\r\nb\n"),
        (Kind.LONG_TEXT, None, ""),
        (Kind.TEXT, "Jane\tDoe", "Jane Doe"),
        (Kind.LINK, ["rec1"], ["rec1"]),
        (Kind.LINK, ["rec1"], [{"id": "rec1"}]),
        (Kind.SELECT, "Running", "Running"),
    ],
)
def test_what_airtable_keeps_in_its_own_way_is_the_same(kind: Kind, wanted: Any, found: Any) -> None:
    assert same(kind, wanted, found)


@pytest.mark.parametrize(
    ("kind", "wanted", "found"),
    [
        (Kind.INTEGER, 0, None),
        (Kind.INTEGER, None, 0),
        (Kind.INTEGER, 1, True),
        (Kind.INTEGER, 10_000_000_000, 10_000_000_001),
        (Kind.INTEGER, 5, "5"),
        (Kind.DECIMAL, 1.10, 1.11),
        (Kind.TIME, "2025-09-30T14:15:22.123Z", "2025-09-30T14:15:22.124Z"),
        (Kind.TIME, "2025-09-30T14:15:22.123Z", "soon"),
        (Kind.TIME, "2025-09-30T14:15:22.123Z", 5),
        (Kind.LONG_TEXT, "a\nb", "a b"),
        (Kind.LINK, ["rec1"], []),
        (Kind.LINK, ["rec1"], ["rec1", "rec2"]),
        (Kind.SELECT, "Running", "running"),
    ],
)
def test_everything_else_differs(kind: Kind, wanted: Any, found: Any) -> None:
    assert not same(kind, wanted, found)


def test_only_what_the_flush_writes_is_compared() -> None:
    columns = [Column(name, Kind.INTEGER) for name in ("Errors", "Never Reported", "Left Out")] + [Column("Duration", Kind.FORMULA)]
    cells = {"Errors": 2, "Never Reported": 7, "Left Out": 7, "Duration": 7, "Somebody's": "x"}
    expected = {"Errors": 1, "Left Out": 1, "Duration": 1}
    assert differences(expected, cells, columns, {"Left Out"}) == [("Errors", "2", "1")]


def test_long_values_are_shown_by_their_end() -> None:
    assert shown("x" * 500 + "end").endswith("xend")
    assert len(shown("x" * 500)) == 120
    assert shown(None) == shown([]) == "nothing"
