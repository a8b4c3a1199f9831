"""Workers killed with SIGKILL: a lone one in quick succession, then one of two Celery workers now and then while producers emit."""

from __future__ import annotations

import random
import time
from typing import Any

from benchmarks.killing import consumer, kill_again_and_again
from benchmarks.stage import stage
from faults.episode import Scene, play, scene

NAME = "worker-killed"

_LIFE_S = 1.0
"""About what a life of the lone worker takes, its start included."""

_LONGEST_S = 0.05
_EVENTS_A_LIFE = 2_500
_PAUSE_S = (1.0, 6.0)


def run(seed: int, seconds: float) -> dict[str, Any]:
    """The verdict after about `seconds` of it; of both parts, the worse."""
    kills = max(3, int(seconds / 2 / _LIFE_S))
    with stage() as alone:
        toll = kill_again_and_again(
            alone, consumer, events=kills * _EVENTS_A_LIFE, kills=kills, seed=seed, longest_s=_LONGEST_S, budget_s=seconds / 2
        )

    def breaking(place: Scene) -> None:
        rng = random.Random(seed)  # noqa: S311  # moments, no secret
        until, times = time.monotonic() + seconds / 2, 0
        while time.monotonic() < until:
            place.pause(rng.uniform(*_PAUSE_S))
            rng.choice(place.crew.workers).kill()
            times += 1
        place.notes |= {"kills": times, "lone_kills": toll.kills, "lone_kills_at_work": toll.at_work}

    with scene(seed=seed, workers=2) as place:
        verdict = play(NAME, place, breaking, seed=seed)
    verdict["lost"] += toll.balance.lost
    verdict["doubled"] += toll.balance.doubled
    if toll.balance.faults:
        verdict["details"]["lone_differences"] = toll.balance.told
        verdict["ok"] = False
    return verdict
