"""What a fault hands back, as a dict, so that it travels from the fault's process as JSON."""

from __future__ import annotations

from math import isnan
from typing import Any

TOLD = {"lost": int, "doubled": int, "ok": bool}
MEASURED = {"level": str, "corrupt": int, "stale": int, "longest_gap_s": float, "recovered_s": float, "details": dict}
"""Of the keys of a verdict, those that every fault tells, and those that are None where a fault has no such thing.

`level`: the delivery level that was promised. `lost`, `doubled`: events (or rows) missing, and too many, of those confirmed at that
level. `corrupt`: rows that differ otherwise. `stale`: what had not come through at the end. `longest_gap_s`: longest time without
progress under load. `recovered_s`: from the fault's end until all that was accepted had come through. `ok`: every promise held.
Besides, `fault`: its name, and `seed`."""

RECOVER_S = 60.0
"""Within this time of the fault's end the system has to be back by itself."""


def failed(fault: str, seed: int, reason: str) -> dict[str, Any]:
    """The verdict on a fault that gave none: it raised, hung or could not be read."""
    nothing = dict.fromkeys((*TOLD, *MEASURED))
    return {"fault": fault, "seed": seed} | nothing | {"ok": False, "details": {"failed": reason}}


def read(fault: str, seed: int, told: Any) -> dict[str, Any]:
    """The verdict that a fault told, all keys there; a failed one if one that must be is missing, or has another type."""
    if not isinstance(told, dict):
        return failed(fault, seed, f"not a verdict: {told!r:.200}")
    verdict: dict[str, Any] = {"fault": fault, "seed": seed}
    for name, kind in (TOLD | MEASURED).items():
        value = told.get(name)
        if kind is float and isinstance(value, int):
            value = float(value)
        if isinstance(value, float) and isnan(value):
            value = None
        if not isinstance(value, kind) and (value is not None or name in TOLD):
            return failed(fault, seed, f"the verdict's {name} is {value!r:.200}")
        verdict[name] = value
    return verdict
