"""The same with `appended`, which promises nothing there: how much a power failure costs it, and that nothing is doubled."""

from __future__ import annotations

from typing import Any

from faults.service.tail_lost import lose_tails
from faults.verdict import RECOVER_S

NAME = "tail-lost-appended"


def run(seed: int, seconds: float) -> dict[str, Any]:
    """The verdict after about `seconds` of it. `lost` is the true figure; it breaks no promise."""
    verdict = lose_tails(NAME, "appended", seed=seed, seconds=seconds)
    told = verdict["details"]
    told.pop("differences", None)
    kept = not any((verdict["doubled"], verdict["corrupt"], verdict["stale"], told.get("emit_raised"), told.get("not_delivered")))
    return verdict | {"ok": kept and verdict["recovered_s"] <= RECOVER_S}
