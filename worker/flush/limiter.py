"""Airtable's limit of requests a second, kept exactly, for all processes together.

A base has five places. A request takes one before it is sent; the place is free again 1 s (and a margin) after the answer was
*seen*. So two requests that use one place arrive at Airtable more than 1 s apart, however long either was on its way: the
first arrived before its answer was seen, the second after it was sent. A request whose answer was never seen holds its place
until it can no longer arrive. Source: airtable.com/developers/web/api/rate-limits.
"""

from __future__ import annotations

import secrets

from contract import keys
from contract.link import Link
from worker.flush.budget import KEPT_S, Budget
from worker.flush.month import Share
from worker.store.scripts import Script

PLACES = 5
"""Requests a second to one base."""

_WINDOW_MS = 1_000
_MARGIN_MS = 10
"""Clocks of different machines differ in rate by far less than this in a second."""

_TAKE = Script("limit_take")
_DONE = Script("limit_done")
_CLOSE = Script("limit_close")


class Limiter:
    """Places of one base. All methods ask Redis and raise StoreUnavailable or StoreRefused; its clock is the only one used.

    A process that dies between `take` and `done` leaves its place taken for `unseen_s`. A Redis that loses its last second
    forgets who sent in it: Airtable's own 429 is the guard then.
    """

    def __init__(self, link: Link, base_id: str, unseen_s: float, budget: Budget | None = None) -> None:
        """`unseen_s`: how long after its taking a request may still arrive when nobody saw its answer. `budget`: what bounds a month's
        calls; without one they are only counted."""
        self._link = link
        self._base_id = base_id
        self._budget = budget or Budget(link, base_id, None)
        self._unseen_ms = int(unseen_s * 1000) + _WINDOW_MS + _MARGIN_MS

    @staticmethod
    def ticket() -> str:
        """A name for one request, to be used with `take` until it is let through, and then with `done`."""
        return secrets.token_hex(8)

    def take(self, ticket: str, share: Share = Share.FINISHED) -> float:
        """Take a place and count the call. 0: send now; else nothing was taken: wait so many seconds and ask again. Negative: the
        calls of the month that such a request may use are spent."""
        month, most = self._budget.key(self._budget.month()), self._budget.most(share)
        names = [keys.limiter(self._base_id), keys.limiter_closed(self._base_id), keys.flush_counters(self._base_id), month]
        return int(_TAKE.run(self._link, names, [ticket, PLACES, self._unseen_ms, "" if most is None else most, KEPT_S])) / 1000

    def done(self, ticket: str) -> None:
        """The answer was seen, whatever it said. Not to be called when none was: the request may still arrive."""
        _DONE.run(self._link, [keys.limiter(self._base_id)], [ticket, _WINDOW_MS + _MARGIN_MS])

    def lost(self, ticket: str, lands_s: float) -> None:
        """No answer came and nobody waits for one: the request may still arrive within `lands_s` from now."""
        _DONE.run(self._link, [keys.limiter(self._base_id)], [ticket, int(lands_s * 1000) + _MARGIN_MS])

    def close(self, span_s: float) -> None:
        """After a 429: nobody sends to this base for `span_s`, counted from now."""
        _CLOSE.run(self._link, [keys.limiter_closed(self._base_id)], [int(span_s * 1000) + _MARGIN_MS])
