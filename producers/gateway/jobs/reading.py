"""What the gateway needs of whoever reads rows. Rows are the workers' side: the reader is handed in by what stands above both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from contract.status import Status


class JobReader(Protocol):
    """Reads from Redis; each call may be made in any thread. Raises StoreUnavailable, StoreRefused, LayoutMismatch."""

    def job(self, run: str) -> dict[str, Any] | None:
        """A job as JSON members (`run_id`, `status`, `metrics`, …), with its `clients`, a list alike; None if there is no row."""

    def latest(self, most: int, statuses: Sequence[Status]) -> list[dict[str, Any]]:
        """The jobs with the latest events, newest first, without their clients; of any status if none is named."""

    def announced(self, run: str, job_type: str, stream: int | None) -> dict[str, Any]:
        """A job as `job` would answer it, of which nothing is known but its start. Reads nothing."""
