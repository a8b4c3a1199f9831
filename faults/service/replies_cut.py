"""Connections of producers cut beside their appends: the command swallowed, half sent, or applied with the reply unread."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from embedded import EmbeddedValkey
from faults.cutting import Cutter
from faults.episode import Scene, play, scene

NAME = "replies-cut"
_CHANCE = 0.2


def run(seed: int, seconds: float) -> dict[str, Any]:
    """The verdict after about `seconds` of it."""
    return cut_for(seconds, seed=seed)


def cut_for(seconds: float, *, seed: int, **chosen: Any) -> dict[str, Any]:
    """The verdict after cutting for `seconds`. `chosen`: settings. The details count the cuts by kind."""
    cutters: list[Cutter] = []

    def through(server: EmbeddedValkey) -> str:
        cutters.append(exits.enter_context(Cutter(server.port, word=b"XADD", chance=_CHANCE, seed=seed)))
        return server.url.replace(f":{server.port}/", f":{cutters[0].port}/")

    def breaking(place: Scene) -> None:
        cutters[0].cutting.set()
        place.pause(seconds)
        cutters[0].cutting.clear()
        place.notes |= {f"cut_{kind}": number for kind, number in sorted(cutters[0].cuts.items())}

    with ExitStack() as exits, scene(seed=seed, through=through, linger_ms=5, **chosen) as place:
        return play(NAME, place, breaking, seed=seed)
