"""How things stand between us and Airtable, for the dashboard and the command line. Reads only."""

from __future__ import annotations

from contract import keys
from contract.errors import StoreRefused
from contract.link import Command, Link
from worker.flush.month import month_of

BREAKERS = ("away", "refused-job", "refused-client")
"""The circuit breakers of a base: Airtable is away; it refuses token, base or one of the tables."""


def standing(link: Link, base_id: str, calls_per_month: int | None) -> dict[str, int | str]:
    """Numbers and words by name, all of them always there.

    For each breaker its name -> `closed`, `open`, `half-open`, and `<name>_wait_s`, the time for which it stays open; `closed_s`, for how
    long a 429 keeps everybody out; `month` (`2025-09`), `month_calls` sent in it, `month_budget` (0 for none) and `month_spent`, 1 when
    nothing is sent in it any more. Raises StoreUnavailable and StoreRefused.
    """
    seconds, _ = link.call("TIME")
    month = month_of(int(seconds)).name
    commands: list[Command] = [("PTTL", keys.limiter_closed(base_id)), ("EXISTS", keys.flush_spent(base_id))]
    commands.append(("HGET", keys.flush_month(base_id, month), "calls"))
    for name in BREAKERS:
        commands += [("PTTL", keys.breaker_open(base_id, name)), ("HEXISTS", keys.breaker(base_id, name), "opened_ms")]
    replies = link.pipeline(commands)
    for reply in replies:
        if isinstance(reply, StoreRefused):
            raise reply
    closed_ms, spent, calls, *breakers = replies
    found: dict[str, int | str] = {"closed_s": _seconds(closed_ms), "month": month, "month_calls": int(calls or 0)}
    found["month_budget"] = calls_per_month or 0
    found["month_spent"] = int(bool(spent) or (calls_per_month is not None and int(calls or 0) >= calls_per_month))
    for name, open_ms, opened in zip(BREAKERS, breakers[::2], breakers[1::2], strict=True):
        found[name] = "open" if open_ms > 0 else "half-open" if opened else "closed"
        found[f"{name}_wait_s"] = _seconds(open_ms)
    return found


def _seconds(ttl_ms: int) -> int:
    return max(0, -(-ttl_ms // 1000))
