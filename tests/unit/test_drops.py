"""Dropped events are told once a reason and a while, with how many came since."""

from __future__ import annotations

import pytest

from producers.publish import drops
from producers.publish.drops import Dropped, Drops


def test_a_reason_is_told_at_once_and_again_after_a_while_with_what_came_since(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(drops, "monotonic", lambda: now[0])
    dropped = Drops()
    assert dropped.to_tell() == []
    dropped.add("unencodable", event="client.metrics.updated 250930-141522-a")
    dropped.add("buffer_full", 0)
    assert dropped.to_tell() == [Dropped("unencodable", 1, 1, "client.metrics.updated 250930-141522-a")]
    dropped.add("unencodable", 2, "client.metrics.updated 250930-141522-b")
    dropped.add("buffer_full", 40)
    assert dropped.to_tell() == [Dropped("buffer_full", 40, 40, None)]
    assert dropped.to_tell() == []
    now[0] += drops._AGAIN_S
    assert dropped.to_tell() == [Dropped("unencodable", 2, 3, "client.metrics.updated 250930-141522-b")]
    dropped.add("buffer_full")
    assert [drop.events for drop in dropped.to_tell(everything=True)] == [1]
    assert dropped.to_tell(everything=True) == []
    assert dropped.counts == {"unencodable": 3, "buffer_full": 41}
