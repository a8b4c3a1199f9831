"""What a flush says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from worker.flush.tally import Tally

Ending = Literal["clean", "stopped", "deadline", "held", "lease_lost", "busy", "unclear", "away", "refused", "paced", "spent"]

_COUNTED = ("calls", "rows_written", "refused_fields", "refused_rows", "duplicates_merged", "records_lost", "busy", "unclear")


@dataclass(frozen=True, slots=True)
class FlushReport:
    """What one flush did.

    `ending`: "clean" nothing may be written now; "stopped" or "deadline" there was more to do; "held" another flusher has the
    base; "lease_lost" it was frozen and another took over; "busy" or "unclear" Airtable is ill; "away" the circuit breaker is open;
    "refused" Airtable refuses token, base or table; "paced" what is dirty has to wait, so that the month's calls last;
    "spent" they are used up.
    `waiting`: rows still dirty, those that may not be written yet included. `absent`: "table.column" that the base lacks.
    `refusal`: what was said of token, base or table in this flush, and what to do about it.
    """

    ending: Ending
    calls: int = 0
    rows_written: int = 0
    refused_fields: int = 0
    refused_rows: int = 0
    duplicates_merged: int = 0
    records_lost: int = 0
    busy: int = 0
    unclear: int = 0
    waiting: int = 0
    absent: tuple[str, ...] = ()
    refusal: str = ""


def report(ending: Ending, tally: Tally, waiting: int, absent: tuple[str, ...] = (), refusal: str = "") -> FlushReport:
    """A report with what one flush has counted."""
    counted = {name: tally.here[name] for name in _COUNTED}
    return FlushReport(ending, waiting=waiting, absent=absent, refusal=refusal, **counted)
