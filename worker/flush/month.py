"""What a budget of calls a month allows now. Pure: the clock and what was spent are given.

An account with an overdraft: each call is paid for with its share of the time that remains, so that what remains lasts for it.
Finished rows may pay an hour late, so they mostly go at once; new rows pay at once; running ones half an hour ahead, so that they
take what the others leave. Time not used is kept for an hour. Some calls are kept for finished rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

SPAN_S = 3_600.0
"""How far calls may be ahead of their time, or behind it."""

RESERVE = 0.05
"""Share of the budget that only finished rows may spend."""


class Share(IntEnum):
    """What a request is for. The lowest is served first."""

    FINISHED = 0
    NEW = 1
    RUNNING = 2


_AHEAD_S = {Share.FINISHED: SPAN_S, Share.NEW: 0.0, Share.RUNNING: -SPAN_S / 2}


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month, UTC. Times are Unix seconds; the month ends before `end_s`."""

    name: str
    start_s: float
    end_s: float


def month_of(now_s: float) -> Month:
    """The month in which a moment lies."""
    now = datetime.fromtimestamp(now_s, UTC)
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return Month(f"{start:%Y-%m}", start.timestamp(), end.timestamp())


@dataclass(frozen=True, slots=True)
class Account:
    """A month's budget at one moment. `calls`: all of it; `spent`: calls so far; `paced_s`: until when (Unix) those are paid for."""

    calls: int
    spent: int
    paced_s: float
    now_s: float

    def most(self, share: Share) -> int:
        """How many calls the month may have seen after a call for this share."""
        return self.calls if share is Share.FINISHED else self.calls - max(1, int(self.calls * RESERVE))

    def credit(self, share: Share) -> int:
        """How many calls may be made now for this share, if none is made for another."""
        left = self.most(share) - self.spent
        ahead_s = self.now_s + _AHEAD_S[share] - self._from_s
        if left <= 0 or ahead_s < 0:
            return 0
        return min(left, int(ahead_s / self._price_s(left)) + 1)

    def paid(self) -> float:
        """`paced_s` after one more call."""
        return self._from_s + self._price_s(max(1, self.calls - self.spent))

    @property
    def _from_s(self) -> float:
        return max(self.paced_s, self.now_s - SPAN_S)

    def _price_s(self, left: int) -> float:
        """A call's share of the time that remains; not 0, however near the month's end is."""
        return max(1.0, month_of(self.now_s).end_s - self.now_s) / left
