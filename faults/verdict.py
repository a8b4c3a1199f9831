"""What a fault hands back, as a dict, so that it travels from the fault's process as JSON."""

from __future__ import annotations

from typing import Any

FIELDS = {
    "fault": str,
    "level": str,
    "lost": int,
    "doubled": int,
    "corrupt": int,
    "stale": int,
    "longest_gap_s": float,
    "recovered_s": float,
    "ok": bool,
    "seed": int,
    "details": dict,
}
"""`level`: the delivery level that was promised. `lost`, `doubled`: events missing from, and too many in, the rows, of those confirmed at
that level. `corrupt`: rows that differ otherwise. `stale`: what had not come through at the end. `longest_gap_s`: longest time
without progress under load. `recovered_s`: from the fault's end until all that was accepted had come through. `ok`: every
promise held."""

RECOVER_S = 60.0
"""Within this time of the fault's end the system has to be back by itself."""


def failed(fault: str, seed: int, reason: str) -> dict[str, Any]:
    """The verdict on a fault that gave none: it raised, hung or could not be read."""
    return {
        "fault": fault,
        "level": "-",
        "lost": 0,
        "doubled": 0,
        "corrupt": 0,
        "stale": 0,
        "longest_gap_s": 0.0,
        "recovered_s": 0.0,
        "ok": False,
        "seed": seed,
        "details": {"failed": reason},
    }


def read(fault: str, seed: int, told: Any) -> dict[str, Any]:
    """The verdict that a fault told, checked: what lacks a field, or has one of another type, is a failure."""
    if not isinstance(told, dict):
        return failed(fault, seed, f"not a verdict: {told!r:.200}")
    for name, kind in FIELDS.items():
        if kind is float and isinstance(told.get(name), int):
            told[name] = float(told[name])
        if not isinstance(told.get(name), kind):
            return failed(fault, seed, f"the verdict's {name} is {told.get(name)!r:.200}")
    return told
