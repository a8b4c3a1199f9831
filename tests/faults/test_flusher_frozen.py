"""A flusher frozen with SIGSTOP, a request in hand, for twice its lease, then woken, while another has taken over the base."""

from __future__ import annotations

from faults.airtable.flusher_frozen import run


def test_what_a_woken_flusher_sends_too_late_does_not_stay() -> None:
    found = run(seed=1, seconds=16)
    assert found["ok"], str(found)
    assert found["details"]["freezes"] >= 1
