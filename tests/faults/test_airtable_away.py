"""Airtable is down, hangs, answers garbage, answers errors, and is back. The breaker's times are shortened; it opens and closes."""

from __future__ import annotations

from faults.airtable.away import run


def test_after_an_airtable_that_was_away_in_every_way_rows_flow_again_by_themselves() -> None:
    found = run(seed=1, seconds=14)
    assert found["ok"], str(found)
    assert found["details"]["opened"] == found["details"]["closed"] >= 1
    assert found["details"]["back_s"] < 60
