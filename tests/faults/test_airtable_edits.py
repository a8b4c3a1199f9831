"""People rename a field, delete rows, take an option away, double a row: told once, everything else flows, what can heal heals."""

from __future__ import annotations

from faults.airtable.edits import run


def test_what_people_edit_is_told_once_and_heals_when_they_put_it_right() -> None:
    found = run(seed=1, seconds=8)
    assert found["ok"], str(found)
    letters = found["details"]["letters"]
    assert set(letters) == {"None", "Errors", "Status"}, "the doubled row, the field, the value"
    assert letters["Errors"] == 1, "however often it was looked for"
