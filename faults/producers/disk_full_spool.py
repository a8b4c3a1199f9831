"""Fault 13, the producers' side: the disk of the spool is full while Redis is away. What is accepted until then is counted; what finds no
place any more is refused by emit, and counted as refused. Then Redis is back, and the spool drains although its disk is full.

Needs root, for a small tmpfs. (The disk of Redis' append-only file is another fault.)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from faults.episode import Scene, play, scene
from faults.producers.small_disk import allowed, small_disk
from faults.producers.verdict import verdict
from faults.service.redis_away import shut_down

NAME = "disk_full_spool"
BUFFER_EVENTS = 200
_MIB = 1
_FULL_BYTES = 8_192
"""With less than this free, a segment cannot grow."""

_BEFORE_S = 2.0
_LEAST_S, _LONGEST_S = 3.0, 60.0


def run(seed: int, seconds: float) -> dict[str, Any]:
    """The verdict after Redis was away, with the disk full, for about half of `seconds`."""
    why_not = allowed()
    if why_not is not None:
        return verdict(NAME, seed, ok=False, details={"not_run": why_not})
    with small_disk(_MIB) as disk, scene(seed=seed, spool_dir=disk / "spool", buffer_events=BUFFER_EVENTS) as place:
        found = play(NAME, place, lambda place: fill(place, disk, min(max(seconds / 2, _LEAST_S), _LONGEST_S)), seed=seed)
    told = found["details"]
    # Without a refusal the disk was never felt.
    return found | {"ok": found["ok"] and bool(told["filled"] and told.get("dropped_spool_full"))}


def fill(place: Scene, disk: Path, full_s: float) -> None:
    """Redis goes away until the disk is full and `full_s` longer; then it is back."""
    place.pause(_BEFORE_S)
    shut_down(place)
    place.pause_until(lambda: _free_bytes(disk) < _FULL_BYTES)
    place.notes["filled"] = _free_bytes(disk) < _FULL_BYTES
    place.pause(full_s)
    place.server.restart()


def _free_bytes(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize
