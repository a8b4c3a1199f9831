"""What has had its time: the rows of a run go some while after its last event and flush, and that is no fault."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Clock:
    """The server's time when the check began, and how long the rows of finished runs are kept."""

    now_ms: int
    retention_s: int

    @property
    def slack_s(self) -> float:
        """How long a check may take: rows whose time comes meanwhile may be gone when they are looked for."""
        return min(_DAY_S, self.retention_s / 10)

    def kept(self, ms: float) -> bool:
        """Whether a row last changed then is certainly still to be there."""
        return ms > self.now_ms - (self.retention_s - self.slack_s) * 1000

    def kept_since(self, at: datetime | None) -> bool:
        """`kept` for a time, False for none."""
        return at is not None and self.kept(at.timestamp() * 1000)
