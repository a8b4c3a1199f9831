"""Playing a fault: rows change while it lasts, then it ends, and everything has to be true again within a minute."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from faults.airtable.place import Place
from faults.airtable.rows import Rows

BACK_S = 60.0
"""After the fault's end rows flow again within this; what waits for a lockout or a quarantine comes then."""

_STEP_S = 0.05
_CHANGES = 3


@dataclass
class Watch:
    """`longest_gap_s`: the longest time in which rows were dirty and none was written."""

    place: Place
    longest_gap_s: float = 0.0
    _written: int = 0
    _since_s: float = field(default_factory=time.monotonic)

    def look(self) -> int:
        """Rows dirty now."""
        now_s, written, waiting = time.monotonic(), self.place.flushed(), self.place.dirty()
        if written != self._written or not waiting:
            self._written, self._since_s = written, now_s
        self.longest_gap_s = max(self.longest_gap_s, now_s - self._since_s)
        return waiting


def play(place: Place, rows: Rows, seconds: float, fault: Callable[[float], None], end: Callable[[], None]) -> dict[str, Any]:
    """Change rows for `seconds` while `fault(share of the time gone)` is called, `end` it, and wait until nothing is dirty and no column is
    missed.

    Returns longest_gap_s, back_s (from the end to the first row written) and rest_s (to the last one; not a number when
    that never came).
    """
    watch = Watch(place)
    began_s = time.monotonic()
    for row in rows.all:
        rows.change(row)
    while (gone := (time.monotonic() - began_s) / seconds) < 1:
        fault(gone)
        rows.change_some(_CHANGES)
        watch.look()
        time.sleep(_STEP_S)
    end()
    ended_s, written = time.monotonic(), place.flushed()
    rows.finish()
    back_s = rest_s = float("nan")
    patience_s = BACK_S + 2 * place.pace.quarantine_s + place.pace.lockout_s
    while time.monotonic() - ended_s < patience_s:
        waiting = watch.look()
        if math.isnan(back_s) and place.flushed() > written:
            back_s = time.monotonic() - ended_s
        if not waiting and not place.absent():
            rest_s = time.monotonic() - ended_s
            break
        time.sleep(_STEP_S)
    return {"longest_gap_s": round(watch.longest_gap_s, 2), "back_s": round(back_s, 2), "rest_s": round(rest_s, 2)}


def outcome(name: str, seed: int, place: Place, rows: Rows, played: dict[str, Any], *faults: str, **details: Any) -> dict[str, Any]:
    """The ledger of a play. `faults`: what else went wrong, in words; none is meant to."""
    without = frozenset(details.pop("without", ()))
    balance = rows.balance(place.remote, place.registry, without)
    counters = place.counters()
    wrong = [*faults, *balance.told[:5]]
    if counters["most_calls_in_one_s"] > 5 and not details.get("stranger"):
        wrong.append(f"{counters['most_calls_in_one_s']} calls in a second")
    if not played["back_s"] <= BACK_S:
        wrong.append(f"rows flowed again after {played['back_s']} s")
    if place.dirty():
        wrong.append(f"{place.dirty()} rows still dirty")
    found = {"lost": balance.lost, "doubled": balance.doubled, "stale": balance.stale}
    real = place.pace.quarantine_s >= BACK_S
    more = {"pace": "real" if real else "short", **played, **counters, **details, "wrong": wrong}
    ok = not any(found.values()) and not wrong
    return {"fault": name, **found, "longest_gap_s": played["longest_gap_s"], "ok": ok, "seed": seed, "details": more}
