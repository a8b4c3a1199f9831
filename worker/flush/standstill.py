"""When Airtable refuses token, base or a table for good: it is asked again at a slow, growing interval, and said once."""

from __future__ import annotations

from hashlib import sha256

from contract.errors import AirtableRejected
from contract.link import Link
from contract.settings import Settings
from worker.flush.breaker import Breaker, Spans
from worker.flush.drafts import Table
from worker.flush.pace import Pace
from worker.flush.tally import Tally

_TABLES: tuple[Table, ...] = ("job", "client")
_OF_ALL = frozenset({401, 402})
"""Refusals that are about the token or the workspace; others may be about one table alone."""


class Standstill:
    """A breaker for each table that one refusal opens, for those who use the same token and address.

    Methods raise StoreUnavailable and StoreRefused.
    """

    def __init__(self, settings: Settings, link: Link, tally: Tally, pace: Pace) -> None:
        spans = Spans(1, pace.refused_s, pace.refused_most_s)
        base_id = settings.airtable_base_id or ""
        self._breakers = {table: Breaker(link, base_id, f"refused-{table}", spans, tally) for table in _TABLES}
        token = settings.airtable_token.get_secret_value() if settings.airtable_token else ""
        # A new token or address is tried at once. The digest is short: it tells two settings apart, and nothing of the token.
        self._kind = sha256(f"{settings.airtable_url} {token}".encode()).hexdigest()[:8]
        self._open: set[Table] = set()
        self.held: set[Table] = set()
        """Tables to which nothing is sent for now."""
        self.refusal = ""
        """The last refusal of this flush, in words; "" for none."""

    def load(self) -> bool:
        """Read how things stand; True when nothing at all may be sent."""
        for table, breaker in self._breakers.items():
            kind = breaker.kind()
            if kind is not None and kind != self._kind:
                breaker.answered()
            elif kind is not None:
                self._open.add(table)
                if breaker.wait_s() > 0:
                    self.held.add(table)
        return len(self.held) == len(_TABLES)

    def begin(self, refusal: AirtableRejected, table: Table) -> bool:
        """Airtable refused; True when the other table may be tried all the same."""
        self.refusal = str(refusal)
        for refused in _TABLES if refusal.status in _OF_ALL else (table,):
            self.held.add(refused)
            self._breakers[refused].failed(self._kind, self.refusal)
        return len(self.held) < len(_TABLES)

    def end(self, table: Table) -> None:
        """Airtable took rows of a table."""
        if table in self._open:
            self._breakers[table].answered()
            self._open.discard(table)

    def lift(self) -> None:
        """A person has looked: the next flush goes on at once."""
        for breaker in self._breakers.values():
            breaker.answered()
