"""What a fault's run says of itself."""

from __future__ import annotations

from typing import Any

from faults.verdict import RECOVER_S


def verdict(  # noqa: PLR0913  # the columns of the table
    fault: str,
    seed: int,
    *,
    level: str = "appended",
    lost: int = 0,
    doubled: int = 0,
    corrupt: int = 0,
    stale: int = 0,
    longest_gap_s: float = 0.0,
    recovered_s: float = 0.0,
    ok: bool | None = None,
    details: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The figures by name. `lost`, `doubled`, `corrupt`, `stale`: events or rows; `recovered_s`: from the fault's end until all is counted.

    `ok` None: all four are 0. Where a level promises less, the caller says what it promises and decides.
    Not to be back in time is never ok."""
    kept = not (lost or doubled or corrupt or stale) if ok is None else ok
    return {
        "fault": fault,
        "level": level,
        "lost": lost,
        "doubled": doubled,
        "corrupt": corrupt,
        "stale": stale,
        "longest_gap_s": round(longest_gap_s, 3),
        "recovered_s": round(recovered_s, 3),
        "ok": kept and recovered_s <= RECOVER_S,
        "seed": seed,
        "details": details or {},
    }
