"""The calls of a calendar month: counted in Redis for all processes, by its clock, and never more than the budget."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import structlog

from contract import keys
from contract.errors import StoreRefused
from contract.link import Link
from worker.flush.month import Account, Month, Share, month_of
from worker.flush.tally import Tally

TOLD_PERCENT = (80, 95, 100)
"""Shares of the budget of which one log line and one count is made."""

KEPT_S = 62 * 86_400
"""How long a month's counts are kept after its last call."""

_ASKED_AGAIN_S = 6 * 3_600.0
"""Airtable's month may turn on another day than ours, and a plan can be changed: a spent workspace is asked again after this."""

_log = structlog.get_logger("runtally.flush", operation="flush")


class Budget:
    """The budget of one base. Every method asks Redis and raises StoreUnavailable and StoreRefused."""

    def __init__(self, link: Link, base_id: str, calls: int | None, clock: Callable[[], float] | None = None) -> None:
        """`calls`: of a month, None for any number. `clock`: Unix seconds; Redis' own when it is None."""
        self._link = link
        self._base_id = base_id
        self.calls = calls
        self._clock = clock or self._server_s
        self.limited = calls is not None

    def month(self) -> Month:
        """The month that it is now."""
        return month_of(self._clock())

    def key(self, month: Month) -> str:
        """Where a month's calls are counted."""
        return keys.flush_month(self._base_id, month.name)

    def most(self, share: Share) -> int | None:
        """How many calls this month may have seen after a call for this share; None for any number."""
        return None if self.calls is None else Account(self.calls, 0, 0.0, 0.0).most(share)

    def account(self) -> Account | None:
        """How the month stands; None without a budget."""
        if self.calls is None:
            return None
        now_s = self._clock()
        spent, paced_ms = self._link.call("HMGET", self.key(month_of(now_s)), "calls", "paced_ms")
        return Account(self.calls, int(spent or 0), int(paced_ms or 0) / 1000, now_s)

    def pay(self) -> None:
        """Take a call's share of the time that remains. For rows only, and under the flush's lease: the last to write it stands."""
        account = self.account()
        if account is not None:
            with suppress(StoreRefused):
                self._link.call("HSET", self.key(month_of(account.now_s)), "paced_ms", int(account.paid() * 1000))

    def left_s(self) -> float:
        """How long this month lasts."""
        now_s = self._clock()
        return month_of(now_s).end_s - now_s

    def spent_s(self) -> float:
        """How long nothing may be sent because Airtable said that the month is spent; 0 when it did not."""
        return max(0, int(self._link.call("PTTL", keys.flush_spent(self._base_id)))) / 1000

    def refused(self, tally: Tally, reason: str) -> None:
        """Airtable said that the month is spent, whatever was counted here: until it turns nothing is sent, but for one call in 6 h."""
        now_s = self._clock()
        month = month_of(now_s)
        span_s = min(_ASKED_AGAIN_S, max(1.0, month.end_s - now_s))
        with suppress(StoreRefused):
            self._link.call("SET", keys.flush_spent(self._base_id), month.name, "PX", int(span_s * 1000))
        self._tell(month, 100, tally, reason=reason)

    def lift(self) -> None:
        """A person asked: the next call may go."""
        self._link.call("DEL", keys.flush_spent(self._base_id))

    def tell(self, tally: Tally) -> None:
        """Report what share of the budget is spent: one log line and one count a share and month, whichever process sees it first."""
        account = self.account()
        if account is None:
            return
        month = month_of(account.now_s)
        for percent in TOLD_PERCENT:
            if account.spent * 100 >= percent * account.calls:
                self._tell(month, percent, tally, calls=account.spent, budget=account.calls)

    def _tell(self, month: Month, percent: int, tally: Tally, **about: object) -> None:
        first = 0
        # A full Redis cannot remember that it was told: better not at all than each time.
        with suppress(StoreRefused):
            first = self._link.call("HSETNX", self.key(month), f"told_{percent}", 1)
        if first:
            self._link.call("EXPIRE", self.key(month), KEPT_S)
            tally.add(f"budget_{percent}")
            level = _log.error if percent == 100 else _log.warning
            level("Airtable's calls of the month are being spent", base=self._base_id, month=month.name, percent=percent, **about)

    def _server_s(self) -> float:
        seconds, micros = self._link.call("TIME")
        return int(seconds) + int(micros) / 1_000_000
