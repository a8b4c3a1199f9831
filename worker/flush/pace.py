"""Times that Airtable's behaviour dictates."""

from __future__ import annotations

from dataclasses import dataclass

from worker.flush.answers import LOCKOUT_S

QUARANTINE_S = 60.0
"""A request whose answer nobody saw can no longer land after this."""


@dataclass(frozen=True, slots=True)
class Pace:
    """All in seconds; tests shorten them.

    `open_s`: how long nothing is sent once Airtable is away; it doubles up to `open_most_s`, short enough to be back a minute
    after Airtable is, or `open_most_paid_s` where calls are counted and a probe costs one. `refused_s` and `refused_most_s`: the same
    once it refuses token, base or table for good. `recheck_s`, `recheck_paid_s`: how long a field that the base lacks is left out before it
    is tried again.
    """

    quarantine_s: float = QUARANTINE_S
    lockout_s: float = LOCKOUT_S
    lease_s: float = 60.0
    open_after: int = 5
    open_s: float = 30.0
    open_most_s: float = 45.0
    open_most_paid_s: float = 600.0
    refused_s: float = 30.0
    refused_most_s: float = 600.0
    recheck_s: float = 45.0
    recheck_paid_s: float = 300.0
