"""Redis at maxmemory, with the broker in it: the workers stand still until it refuses writes, and then have to drain it.

The bound stays to the end: what makes room is that the log is folded and trimmed, nothing else.
"""

from __future__ import annotations

import time
from typing import Any

from contract.link import Link
from faults.episode import Scene, play, scene

NAME = "redis-full"
BUFFER_EVENTS = 1_000
"""Small, so that the spool is needed."""

_ROOM_BYTES = 400_000
_PAUSE_S = 3.0


def run(seed: int, seconds: float) -> dict[str, Any]:
    """The verdict after about `seconds` of it."""
    return fill_for(seconds, seed=seed)


def fill_for(seconds: float, *, seed: int, **chosen: Any) -> dict[str, Any]:
    """The verdict after filling for `seconds`, once at least. `chosen`: settings, and what `scene` takes. The details count how often Redis
    was filled, and the writes that it refused; without any, nothing is proved."""

    def breaking(place: Scene) -> None:
        place.whole_log = False
        place.pause(_PAUSE_S)
        link = Link(place.server.url, name="runtally-faults")
        link.open()
        link.call("CONFIG", "SET", "maxmemory", _figure(link, "memory", b"used_memory") + _ROOM_BYTES)
        until, times = time.monotonic() + seconds, 0
        while not times or time.monotonic() < until:
            times += fill(place, link)
            place.pause(_PAUSE_S)
        place.notes |= {"filled": times, "writes_refused": refused(link)}
        link.close()

    with scene(seed=seed, buffer_events=BUFFER_EVENTS, **chosen) as place:
        verdict = play(NAME, place, breaking, seed=seed)
    return verdict | {"ok": verdict["ok"] and verdict["details"]["writes_refused"] > 0}


def fill(place: Scene, link: Link) -> bool:
    """The workers stand still until Redis refuses a write, and go on; whether it did in time."""
    before = refused(link)
    place.crew.freeze()
    place.pause_until(lambda: refused(link) > before)
    place.crew.wake()
    return refused(link) > before


def refused(link: Link) -> int:
    """Writes that the server has refused for want of memory."""
    return _figure(link, "errorstats", b"errorstat_OOM")


def _figure(link: Link, section: str, name: bytes) -> int:
    figures = dict(line.split(b":", 1) for line in link.call("INFO", section).splitlines() if b":" in line)
    return int(figures.get(name, b"0").removeprefix(b"count=").split(b",")[0])
