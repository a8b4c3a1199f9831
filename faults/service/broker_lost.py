"""Doorbells and the whole broker lost: `rt:bell` and every key of Celery's are deleted again and again, under load."""

from __future__ import annotations

import random
import time
from typing import Any

from contract import keys
from contract.link import Link
from faults.episode import Scene, play, scene

NAME = "broker-lost"
CELERY_KEYS = "rt:celery:*"
_LONGEST_PAUSE_S = 0.3


def run(seed: int, seconds: float) -> dict[str, Any]:
    """The verdict after about `seconds` of it."""

    def breaking(place: Scene) -> None:
        rng = random.Random(seed)  # noqa: S311  # moments, no secret
        link = Link(place.server.url, name="runtally-faults")
        link.open()
        until, times = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            lose(link)
            times += 1
            place.pause(rng.uniform(0, _LONGEST_PAUSE_S))
        link.close()
        place.notes["deletions"] = times

    with scene(seed=seed) as place:
        return play(NAME, place, breaking, seed=seed)


def lose(link: Link) -> int:
    """Delete the bell and all that Celery keeps in Redis; how many keys there were."""
    return int(link.call("DEL", keys.BELL, *link.call("KEYS", CELERY_KEYS)))
