"""When a request may be sent to a base, for all processes together: the wire, the breaker, the month's budget and the limit."""

from __future__ import annotations

from typing import Literal

from contract.errors import AirtableBusy, AirtableRejected, AirtableUnclear, RuntallyError
from contract.link import Link
from contract.settings import Settings
from worker.flush.answers import RETRY_S, MonthSpent, RateExceeded, Unanswered, Unreachable
from worker.flush.breaker import Breaker, Spans
from worker.flush.budget import Budget
from worker.flush.limiter import Limiter
from worker.flush.month import Share
from worker.flush.pace import Pace
from worker.flush.tally import Tally
from worker.flush.wire import ASK_AGAIN_S, Wire

MARGIN_S = 1.0
"""Beyond the longest request: covers the steps between being let through and sending."""

_ROW_FAULTS = frozenset({400, 413, 422})

Reason = Literal["away", "spent"]


class NotNow(AirtableBusy):
    """Nothing may be sent for longer than it pays to wait here: Airtable is `away`, or the month's calls are `spent`."""

    def __init__(self, reason: Reason, message: str, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s)
        self.reason = reason


class Admission:
    """Lets requests to one base through, one at a time, and hears what became of each.

    Methods raise StoreUnavailable and StoreRefused. A process that dies in mid-request holds the others up for `request_s`.
    """

    def __init__(self, settings: Settings, link: Link, tally: Tally, request_s: float, pace: Pace) -> None:
        """`request_s`: the longest request."""
        base_id = settings.airtable_base_id or ""
        self._tally = tally
        self.request_s = request_s
        self._lands_s = pace.quarantine_s
        self.budget = Budget(link, base_id, settings.airtable_calls_per_month)
        most_s = pace.open_most_paid_s if self.budget.limited else pace.open_most_s
        self._breaker = Breaker(link, base_id, "away", Spans(pace.open_after, pace.open_s, most_s), tally)
        self._limiter = Limiter(link, base_id, unseen_s=request_s + pace.quarantine_s, budget=self.budget)
        self._wire = Wire(link, base_id, request_s + MARGIN_S)

    @staticmethod
    def ticket() -> str:
        """A name for one request, for `ask` until it is let through, and then for `answered` or `failed`."""
        return Limiter.ticket()

    def check(self) -> None:
        """Raises NotNow when nothing may be sent now, whatever it is."""
        wait_s = self._breaker.wait_s()
        if wait_s > 0:
            raise NotNow("away", "Airtable is away: nothing is sent for now", wait_s)
        spent_s = self.budget.spent_s()
        if spent_s > 0:
            raise NotNow("spent", "Airtable says that the workspace's calls of the month are spent", spent_s)

    def ask(self, ticket: str, share: Share) -> float:
        """0: send now, and tell what became of it. Else nothing was taken: wait so many seconds and ask again. Raises NotNow."""
        if not self._wire.take(ticket):
            return ASK_AGAIN_S
        wait_s: float | None = None
        try:
            self.check()
            wait_s = self._limiter.take(ticket, share)
        finally:
            if wait_s != 0:
                self._wire.release(ticket)
        if wait_s < 0:
            raise NotNow("spent", "the calls of the month are spent, or kept for finished rows", self.budget.left_s())
        return wait_s

    def answered(self, ticket: str) -> None:
        """A request did what it was to do."""
        self._breaker.answered()
        self._over(ticket)

    def failed(self, ticket: str, error: RuntallyError) -> None:
        """A request raised `error`. What it means for the others is in force before any of them may go."""
        match error:
            case RateExceeded():
                self._limiter.close(error.retry_after_s)
            case AirtableBusy():
                if error.retry_after_s > RETRY_S:
                    self._limiter.close(error.retry_after_s)
                self._breaker.failed("unreachable" if isinstance(error, Unreachable) else "busy", str(error))
            case AirtableUnclear():
                self._breaker.failed("unanswered" if isinstance(error, Unanswered) else "unclear", str(error))
            case MonthSpent():
                self.budget.refused(self._tally, str(error))
            case AirtableRejected() if error.status in _ROW_FAULTS:
                self._breaker.answered()
        if isinstance(error, Unanswered):
            # It may still arrive, so its place stays taken; but nobody waits for it.
            self._limiter.lost(ticket, self._lands_s)
            self._wire.release(ticket)
        else:
            self._over(ticket)

    def unsent(self, ticket: str) -> None:
        """A request that was let through was not sent after all."""
        self._over(ticket)

    def _over(self, ticket: str) -> None:
        self._limiter.done(ticket)
        self._wire.release(ticket)
