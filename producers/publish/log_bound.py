"""The bound of the log: a partition that grows because its workers lag gets nothing more until it has been folded."""

from __future__ import annotations

from time import monotonic
from typing import Any

from contract import keys
from contract.link import Link

_LAG_MS = 1_000
_LOOK_S = 0.5


class LogBound:
    """The check is the sender's own: publishers that append at the same time may exceed the bound by what they append in half a
    second each."""

    def __init__(self, link: Link, most_entries: int) -> None:
        self._link = link
        self._most = most_entries
        self.full: set[int] = set()
        """Partitions that get nothing for now."""
        self._look_at: dict[int, float] = {}

    def learn(self, partition: int, entries: Any) -> None:
        """What XLEN answered along with an append. Raises StoreUnavailable, StoreRefused."""
        if isinstance(entries, int) and entries >= self._most and monotonic() >= self._look_at.get(partition, 0):
            self._look_at[partition] = monotonic() + _LOOK_S
            if self._lags(partition):
                self.full.add(partition)

    def look(self) -> None:
        """Look again at the partitions that were full. Raises StoreUnavailable, StoreRefused."""
        for partition in list(self.full):
            if self._link.call("XLEN", keys.log(partition)) < self._most or not self._lags(partition):
                self.full.discard(partition)

    def _lags(self, partition: int) -> bool:
        """Whether an entry has waited for its fold for more than a second. A log may also be long because it is kept: that is
        settled by `log_retention_s`, and no reason to hold anything back."""
        offset = (self._link.call("HGET", keys.state(partition), "offset") or b"0-0").decode()
        oldest = self._link.call("XRANGE", keys.log(partition), f"({offset}", "+", "COUNT", 1)
        if not oldest:
            return False
        seconds, micros = self._link.call("TIME")
        return int(seconds) * 1000 + int(micros) // 1000 - int(oldest[0][0].partition(b"-")[0]) > _LAG_MS
