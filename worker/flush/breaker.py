"""A circuit breaker in Redis, for all processes: closed, open (nothing is sent), half-open (one request goes, to see).

Closed -> open after some failures of one kind in a row; open -> half-open by time; half-open -> closed with an answer, or open again
for twice as long. That only one request goes when it is half-open is the wire's doing: no two are on their way.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import structlog

from contract import keys
from contract.errors import StoreRefused
from contract.link import Link
from worker.flush.tally import Tally
from worker.store.scripts import Script

_TELL = Script("breaker_tell")
_OPENED, _CLOSED = 1, 2
_log = structlog.get_logger("runtally.flush", operation="flush")


@dataclass(frozen=True, slots=True)
class Spans:
    """`after`: failures of one kind in a row that open a breaker. `first_s`, `most_s`: how long it is open at first and at most."""

    after: int
    first_s: float
    most_s: float


class Breaker:
    """One breaker of a base. Methods raise StoreUnavailable and StoreRefused.

    Opening and closing make one log line and one count each (`<name>_opened`, `<name>_closed`), in the process that told.
    """

    def __init__(self, link: Link, base_id: str, name: str, spans: Spans, tally: Tally) -> None:
        self._link = link
        self._base_id = base_id
        self._name = name
        self._spans = spans
        self._tally = tally
        self._names = [keys.breaker(base_id, name), keys.breaker_open(base_id, name)]

    def wait_s(self) -> float:
        """How long it stays open; 0 when something may be sent."""
        return max(0, int(self._link.call("PTTL", self._names[1]))) / 1000

    def kind(self) -> str | None:
        """The kind of failure that opened it, also while it is half-open; None while it is closed."""
        kind = self._link.call("HGET", self._names[0], "kind")
        return None if kind is None else kind.decode()

    def failed(self, kind: str, reason: str) -> bool:
        """Tell of a failure; True when it opened the breaker."""
        opened = self._tell(kind) == _OPENED
        if opened:
            _log.error("Airtable: circuit open", base=self._base_id, breaker=self._name, reason=reason, wait_s=self._spans.first_s)
            self._tally.add(f"{self._name}_opened")
        return opened

    def answered(self) -> None:
        """Tell of an answer: it is closed, and no failure counts any more."""
        if self._tell("") == _CLOSED:
            _log.info("Airtable: circuit closed", base=self._base_id, breaker=self._name)
            self._tally.add(f"{self._name}_closed")

    def _tell(self, kind: str) -> int:
        spans = self._spans
        result = 0
        # `allow-oom` lets it run at maxmemory; what else a server refuses must not keep a row from being written.
        with suppress(StoreRefused):
            result = int(_TELL.run(self._link, self._names, [kind, spans.after, int(spans.first_s * 1000), int(spans.most_s * 1000)]))
        return result
