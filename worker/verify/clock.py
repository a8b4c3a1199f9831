"""What has had its time: rows expire one by one, some while after they were flushed, and that is no fault."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from worker.verify.snapshot import Snapshot, Stored

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Clock:
    """The server's time when the check began, and how long finished rows are kept."""

    now_ms: int
    retention_s: int

    @property
    def slack_s(self) -> float:
        """How much later than its siblings a row may have been flushed."""
        return min(_DAY_S, self.retention_s / 10)

    def kept(self, ms: float) -> bool:
        """Whether a row last changed then is certainly still to be there."""
        return ms > self.now_ms - (self.retention_s - self.slack_s) * 1000

    def kept_since(self, at: datetime | None) -> bool:
        """`kept` for a time, False for none."""
        return at is not None and self.kept(at.timestamp() * 1000)

    def fading(self, snapshot: Snapshot) -> bool:
        """Whether some of the run's rows may have expired already: the next will within the time that the run took."""
        if snapshot.job is not None and snapshot.job_row is not None:
            row = snapshot.job_row
            span_s = (row.end - row.start).total_seconds() if row.start and row.end else 0.0
            return 0 <= snapshot.job.ttl_s <= span_s + self.slack_s
        return any(self._soon(stored) for stored in snapshot.clients.values())

    def _soon(self, stored: Stored) -> bool:
        return 0 <= stored.ttl_s <= self.slack_s
