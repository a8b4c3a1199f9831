"""One request on its way to a base at a time, from all processes together.

Whoever is on the wire tells what became of its request, a 429 above all, before the next one may go: so no request of ours can
arrive in a lockout that another one met.
"""

from __future__ import annotations

from contract import keys
from contract.link import Link
from worker.store.scripts import Script

ASK_AGAIN_S = 0.02
"""How long to wait before asking again."""

_TURN_MS = 250
"""How long a turn is kept for a sender that asks no more: some times ASK_AGAIN_S."""

_TAKE = Script("wire_take")
_RELEASE = Script("lease_release")


class Wire:
    """The way to one base. Methods raise StoreUnavailable and StoreRefused."""

    def __init__(self, link: Link, base_id: str, longest_s: float) -> None:
        """`longest_s`: after this a request has been answered or given up; one that a dead process left behind ends then."""
        self._link = link
        self._names = [keys.flush_wire(base_id), keys.flush_wire_next(base_id)]
        self._longest_ms = int(longest_s * 1000)

    def take(self, ticket: str) -> bool:
        """True when this request may be on its way now; else ask again in ASK_AGAIN_S."""
        return int(_TAKE.run(self._link, self._names, [ticket, self._longest_ms, _TURN_MS])) == 1

    def release(self, ticket: str) -> None:
        """The request is over, or was not sent."""
        _RELEASE.run(self._link, self._names[:1], [ticket])
