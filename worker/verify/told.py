"""What beat's checks have found and told: each finding is told once, until it is gone."""

from __future__ import annotations

from collections.abc import Set

import msgspec
import structlog

from contract import keys
from contract.link import Link
from worker.verify.finding import Finding

MOST_KEPT = 1_000
"""Most findings remembered: while there are so many, further ones are only counted in the log line."""

MOST_LINES = 20
"""Most log lines for one check: further findings are counted in one more."""

_log = structlog.get_logger("runtally.verify")


def identity(finding: Finding) -> str:
    """What makes two findings the same: kind, place, run, client and what it is about."""
    return msgspec.json.encode([finding.kind, finding.place, finding.run, finding.client, finding.what]).decode()


class Told:
    """Over a link that its caller opens. Raises StoreUnavailable and StoreRefused; telling twice is the worst a crash can do."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def tell(self, found: list[Finding], checked: Set[str | None] | None, at_ms: int) -> None:
        """Log what was not told yet, and forget what is gone. `checked`: the runs that were looked at, None for all there is."""
        told = {name.decode() for name in self._link.call("HKEYS", keys.VERIFY_FOUND)}
        now = {identity(finding): finding for finding in found}
        new = [name for name in now if name not in told]
        gone = [name for name in told - now.keys() if checked is None or msgspec.json.decode(name)[2] in checked]
        for name in new[:MOST_LINES]:
            _warn(now[name])
        if len(new) > MOST_LINES:
            _log.warning("verify found more: `runtally verify` lists all", more=len(new) - MOST_LINES)
        kept = new[: max(0, MOST_KEPT - len(told) + len(gone))]
        if gone:
            _log.info("findings of verify are gone", findings=len(gone))
            self._link.call("HDEL", keys.VERIFY_FOUND, *gone)
        if kept:
            self._link.call("HSET", keys.VERIFY_FOUND, *(part for name in kept for part in (name, at_ms)))
        if new:
            self._link.call("HINCRBY", keys.VERIFY, "findings", len(new))


def _warn(finding: Finding) -> None:
    about = {"run_id": finding.run, "client_id": finding.client, "what": finding.what, "found": finding.found[:200]}
    _log.warning("verify found", kind=str(finding.kind), place=finding.place, expected=finding.expected[:200], hint=finding.hint, **about)
