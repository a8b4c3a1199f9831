"""Redis killed with SIGKILL and restarted, again and again, under load, with `fsynced`."""

from __future__ import annotations

import random
import time
from typing import Any

from faults.episode import Scene, play, scene

NAME = "redis-killed"
_UP_S = (0.3, 5.0)
_DOWN_S = (0.0, 1.5)


def run(seed: int, seconds: float) -> dict[str, Any]:
    """The verdict after about `seconds` of it."""

    def breaking(place: Scene) -> None:
        rng = random.Random(seed)  # noqa: S311  # moments, no secret
        until, times = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            place.pause(rng.uniform(*_UP_S))
            kill_and_restart(place, down_s=rng.uniform(*_DOWN_S))
            times += 1
        place.notes["kills"] = times

    with scene(seed=seed, delivery="fsynced") as place:
        return play(NAME, place, breaking, seed=seed)


def kill_and_restart(place: Scene, *, down_s: float) -> None:
    """Redis dies, and is there again after `down_s` with what it had written to its append-only file."""
    place.server.kill()
    place.pause(down_s)
    place.server.restart()
