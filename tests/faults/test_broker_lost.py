"""Doorbells and the whole broker lost: their keys are deleted again and again while producers emit."""

from __future__ import annotations

from typing import Any

from contract.link import Link
from faults.episode import Scene, play, scene
from faults.service.broker_lost import lose

SEED = 8


def test_events_are_counted_once_while_the_broker_is_emptied_again_and_again() -> None:
    deleted = []

    def breaking(place: Scene) -> None:
        link = Link(place.server.url, name="test")
        link.open()
        for _ in range(10):
            deleted.append(lose(link))
            place.pause(0.1)
        link.close()

    with scene(seed=SEED, producers=1) as place:
        verdict: dict[str, Any] = play("broker lost", place, breaking, seed=SEED)
    assert verdict["ok"], str(verdict)
    assert sum(deleted) > 0, "there was nothing to lose"
