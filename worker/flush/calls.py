"""Sending requests: within the limit, under the lease, with the one layer of retries there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential_jitter,
)

from contract.errors import AirtableBusy, AirtableUnclear, RuntallyError
from worker.flush.admission import MARGIN_S, Admission, NotNow
from worker.flush.answers import MonthSpent, RateExceeded
from worker.flush.month import Share
from worker.flush.tally import Tally
from worker.flush.turn import Turn
from worker.store.lease import Lease

T = TypeVar("T")

_ATTEMPTS = 6
_RETRY_FOR_S = 120.0
_SLICE_S = 5.0

_jittered = wait_exponential_jitter(multiplier=0.5, max=30, jitter=1)


class LeaseLost(Exception):
    """The base's lease is not ours any more, so nothing may be sent."""


class Calls:
    """Sends requests to one base, one at a time.

    Retries what was certainly not applied (and, for reads, what may have been), waiting as long as Airtable asks for, with jitter,
    at most 6 times and 2 minutes, and never beyond the turn. `share`: what the next requests are for.
    """

    def __init__(self, admission: Admission, turn: Turn, tally: Tally, lease: Lease | None = None) -> None:
        """Without a lease anybody may send."""
        self._admission = admission
        self._turn = turn
        self._tally = tally
        self._lease = lease
        self.share = Share.NEW

    def write(self, request: Callable[[], T]) -> T:
        """The result of a request that changes something.

        Raises AirtableUnclear at once, AirtableBusy when it stays busy, AirtableRejected, NotNow, TurnOver, LeaseLost (not sent).
        """
        result: T = self._retrying(AirtableBusy)(self._once, request)
        return result

    def read(self, request: Callable[[], T]) -> T:
        """The result of a request that changes nothing. Raises as `write`, but AirtableUnclear only after retries."""
        result: T = self._retrying(AirtableBusy, AirtableUnclear)(self._once, request)
        return result

    def _retrying(self, *errors: type[RuntallyError]) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(errors) & retry_if_not_exception_type(NotNow),
            wait=_wait_s,
            stop=stop_after_attempt(_ATTEMPTS) | stop_after_delay(_RETRY_FOR_S),
            sleep=self._turn.pause,
            reraise=True,
        )

    def _once(self, request: Callable[[], T]) -> T:
        ticket = self._admitted()
        self._tally.called()
        try:
            result = request()
        except RuntallyError as error:
            self._admission.failed(ticket, error)
            if isinstance(error, AirtableBusy | AirtableUnclear):
                self._tally.add("busy" if isinstance(error, AirtableBusy) else "unclear")
            if isinstance(error, MonthSpent):
                raise NotNow("spent", str(error), self._admission.budget.spent_s()) from error
            raise
        # Anything else that interrupts a request leaves its place taken: it may still arrive.
        self._admission.answered(ticket)
        return result

    def _admitted(self) -> str:
        """Wait until a request may be sent; its ticket. Nothing happens between the last look at the lease and the sending."""
        ticket = self._admission.ticket()
        request_s = self._admission.request_s
        while True:
            self._turn.check()
            if self._lease is not None and not self._lease.covers(request_s + MARGIN_S):
                raise LeaseLost
            wait_s = self._admission.ask(ticket, self.share)
            if wait_s == 0:
                break
            # In slices, so that a long closure does not outlast the lease.
            self._turn.pause(min(wait_s, _SLICE_S), needed_s=wait_s)
        if self._lease is not None and self._lease.remaining_s() <= request_s:
            self._admission.unsent(ticket)
            raise LeaseLost
        return ticket


def _wait_s(state: RetryCallState) -> float:
    """Jittered, and no less than Airtable asks for. A 429 is waited for at the limiter, by everybody, not here."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateExceeded):
        return 0.0
    floor_s = error.retry_after_s if isinstance(error, AirtableBusy) else 0.0
    return max(floor_s, _jittered(state))
