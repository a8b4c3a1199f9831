"""Airtable applies a write and its answer never comes, on a fifth of the calls: every row is right in the end, and none stands there twice.

Quarantine, lockout and breaker are shortened, in the same relation: nothing of the promise depends on their length. The sandbox
applies such a call before it cuts the connection, so nothing lands later than the quarantine.
"""

from __future__ import annotations

from faults.airtable.applied_but_reset import run


def test_rows_are_right_though_one_answer_in_five_is_lost() -> None:
    found = run(seed=1, seconds=6)
    assert found["ok"], str(found)
    assert (found["lost"], found["doubled"], found["stale"]) == (0, 0, 0)
    assert found["details"]["unclear"] > 0, "something was struck"
    assert found["details"]["most_calls_in_one_s"] <= 5
