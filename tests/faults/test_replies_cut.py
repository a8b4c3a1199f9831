"""Connections of producers cut beside their appends, again and again: before, in the midst, and with the reply unread."""

from __future__ import annotations

from faults.cutting import CUTS
from faults.service.replies_cut import cut_for

SEED = 2


def test_an_append_whose_reply_was_cut_is_counted_once() -> None:
    verdict = cut_for(3, seed=SEED)
    assert verdict["ok"], str(verdict)
    assert all(verdict["details"].get(f"cut_{kind}") for kind in CUTS), "not every kind of cut was made: cut for longer"
    assert verdict["details"]["repeats_dropped"] > 0
