"""Redis comes back without its tail, as after a power failure, with `fsynced`: what was confirmed is there, the rest is sent again."""

from __future__ import annotations

import random
import time
from typing import Any

from faults.episode import Scene, play, scene
from faults.tail import KEEP_ONE_FILE, lose_tail

NAME = "tail-lost"
_UP_S = (2.0, 5.0)
_TAIL_S = (0.2, 1.5)


def run(seed: int, seconds: float) -> dict[str, Any]:
    """The verdict after about `seconds` of it."""
    return lose_tails(NAME, "fsynced", seed=seed, seconds=seconds)


def lose_tails(name: str, delivery: str, *, seed: int, seconds: float) -> dict[str, Any]:
    """The verdict on one delivery level: every second time producers and workers are idle meanwhile."""

    def breaking(place: Scene) -> None:
        rng = random.Random(seed)  # noqa: S311  # moments, no secret
        until = time.monotonic() + seconds
        lost: list[int] = []
        tails_s: list[float] = []
        while time.monotonic() < until or len(lost) < 2:
            place.pause(rng.uniform(*_UP_S))
            tails_s.append(rng.uniform(*_TAIL_S))
            lost.append(lose_tail(place, tail_s=tails_s[-1], share=rng.uniform(0, 1), quiet=len(lost) % 2 == 0))
        place.notes |= {"tails": len(lost), "tails_s": round(sum(tails_s), 1), "tail_bytes": sum(lost)}

    with scene(seed=seed, extra=(KEEP_ONE_FILE,), delivery=delivery) as place:
        return play(name, place, breaking, seed=seed)
