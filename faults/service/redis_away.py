"""Redis away for `seconds` under load: producers go on emitting, into their spool, and what that costs a call is measured."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from contract.errors import StoreUnavailable
from contract.link import Link
from faults.episode import Scene, play, scene

NAME = "redis-away"
BUFFER_EVENTS = 1_000
"""Small, so that the spool is needed after a few seconds."""

_BEFORE_S = (3.0, 20.0)
_LONGEST_S = 600.0


def run(seed: int, seconds: float) -> dict[str, Any]:
    """The verdict after Redis was away for `seconds`, ten minutes at most. `emit_p99_…_us`: of the slower producer."""
    with scene(seed=seed, buffer_events=BUFFER_EVENTS) as place:
        return play(NAME, place, lambda place: go_away(place, min(seconds, _LONGEST_S)), seed=seed)


def go_away(place: Scene, seconds: float) -> None:
    """A while of health, `seconds` without Redis, then it is back. It goes orderly: what a crash costs is the matter of other faults."""
    place.pause(min(max(seconds / 2, _BEFORE_S[0]), _BEFORE_S[1]))
    place.load.phase("away")
    shut_down(place)
    place.pause(seconds)
    place.server.restart()
    place.load.phase("after")
    place.notes["away_s"] = seconds


def shut_down(place: Scene) -> None:
    """Redis ends orderly: all that it answered is on disk."""
    # Killed, it would lose what it had answered and not yet written: with `everysec` it puts a write off for up to 2 s while the
    # fsync before is slow. Source: redis.conf, appendfsync; `aof_delayed_fsync` of INFO counts it.
    link = Link(place.server.url, name="runtally-faults")
    link.open()
    with suppress(StoreUnavailable):
        link.call("SHUTDOWN", "NOSAVE")
    place.pause_until(lambda: not place.server.running)
    place.server.kill()
