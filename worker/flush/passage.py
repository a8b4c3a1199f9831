"""One request's way to Airtable: from the claim on its rows until Redis knows what has become of it.

Values are absolute, so all that can go wrong is that an old request lands after a newer one whose writer has cleaned the row. So a row
is claimed before its request is sent, for as long as that may land; and once it was sent, this process does not let go before Redis has
heard that it was answered while the lease held, or that the row has to be written once more.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import TypeVar

import structlog

from contract.about import about
from contract.errors import AirtableBusy, AirtableRejected, StoreRefused, StoreUnavailable
from contract.link import Link
from worker.flush.calls import LeaseLost
from worker.flush.insist import insist
from worker.store import dirty
from worker.store.lease import Lease

T = TypeVar("T")

_NOT_APPLIED = (AirtableBusy, AirtableRejected)
"""After these nothing of ours is on its way to Airtable: it was not sent, or its answer was seen."""

_log = structlog.get_logger("runtally.flush", operation="flush")


class _Stage(Enum):
    """How far a request got. UNSENT: nothing of it is in Airtable or will be; UNSEEN: it may land; APPLIED: its answer was seen."""

    UNSENT = 0
    UNSEEN = 1
    APPLIED = 2


class Passage:
    """Rows on their way, in one request, tried again where it was certainly not applied. Of one thread, used once.

    A crash at any point leaves the rows dirty and claimed: they are written again when the claim has run out.
    """

    def __init__(
        self, link: Link, lease: Lease, stop: Callable[[], bool], refs: list[dirty.RowRef], *, request_s: float, lands_s: float
    ) -> None:
        """`request_s`: the longest request; `lands_s`: how long one may still take to land that was given up. `stop`: see insist."""
        self._link = link
        self._lease = lease
        self._stop = stop
        self._refs = refs
        self._request_s = request_s
        self._lands_s = lands_s
        self._waits_ms: list[int] = []
        self._stage = _Stage.UNSENT

    def send(self, request: Callable[[], T]) -> T:
        """What `request` returns. Raises what it raises; LeaseLost, StoreUnavailable and StoreRefused before it was sent."""
        # The wait begins before the request: whatever ends this process now, nobody writes these rows until it can no longer land.
        self._waits_ms = dirty.claim(self._link, self._refs, self._request_s + self._lands_s)
        if not all(self._waits_ms) or self._lease.remaining_s() <= self._request_s:
            raise LeaseLost
        self._stage = _Stage.UNSEEN
        try:
            answer = request()
        except _NOT_APPLIED:
            self._stage = _Stage.UNSENT
            self._release()
            raise
        self._stage = _Stage.APPLIED
        return answer

    def end(self) -> None:
        """It was applied. Raises LeaseLost when somebody else may have written the rows meanwhile, StoreUnavailable, StoreRefused."""
        # On this connection: a server that answers has not lost the lease since it was taken.
        self._release()
        if not self._lease.covers(0):
            raise LeaseLost

    def broken(self, error: BaseException) -> None:
        """It ended early. Where something of it may have landed, or may yet, Redis hears that the rows are to be written once more."""
        if self._stage is _Stage.UNSENT:
            # Where Redis is away the wait ends by itself.
            with suppress(StoreUnavailable, StoreRefused):
                self._release()
            return
        wait_s = self._lands_s if self._stage is _Stage.UNSEEN else 0
        for ref in self._refs:
            _log.warning("outcome unknown", wait_s=wait_s, error=str(error), **about(ref.row_id))
        if not insist(self._link, self._stop, self._dirty_again):
            for ref in self._refs:
                _log.error("stopped before Redis could be told: `runtally verify` shows whether the row is stale", **about(ref.row_id))

    def _dirty_again(self) -> None:
        if self._stage is _Stage.UNSEEN:
            dirty.defer(self._link, self._refs, self._waits_ms, self._lands_s)
        else:
            self._release()
            dirty.mark(self._link, self._refs)

    def _release(self) -> None:
        if self._waits_ms:
            dirty.release(self._link, self._refs, self._waits_ms)
