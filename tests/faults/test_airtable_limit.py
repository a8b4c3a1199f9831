"""A stranger drives the base into its lockout while four of our processes send. The lockout is shortened to a second for all."""

from __future__ import annotations

from faults.airtable.limit_storm import run


def test_one_call_of_ours_meets_a_lockout_and_no_other_arrives_within_it() -> None:
    found = run(seed=1, seconds=8)
    assert found["ok"], str(found)
    counted = found["details"]
    assert 1 <= counted["lockouts"] <= 2, "the stranger's: none is ours"
    assert counted["calls_in_lockout"] <= counted["lockouts"]
