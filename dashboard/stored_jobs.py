"""Jobs and client runs as JSON members, read from the rows: what the gateway answers about a job."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from contract.errors import StoreUnavailable
from contract.layout import claim_layout
from contract.link import Link
from contract.registry import load_registry
from contract.settings import Settings
from contract.status import Status
from worker.rows import TEXTS, ClientRow, JobRow, text
from worker.store.reader import Reader

_TIMEOUT_S = 5.0
T = TypeVar("T")


class StoredJobs:
    """Reads with one connection of its own, one caller at a time. Raises StoreUnavailable, StoreRefused, LayoutMismatch."""

    def __init__(self, settings: Settings) -> None:
        """Connects to nothing yet. Raises SettingsInvalid for a metrics file that cannot be read."""
        self._partitions = settings.partitions
        self._registry = load_registry(settings.metrics_file)
        self._link = Link(settings.redis_url.get_secret_value(), name="runtally-jobs", timeout_s=_TIMEOUT_S)
        self._reader = Reader(self._link, settings.partitions, self._registry)
        self._lock = threading.Lock()
        self._epoch = 0

    def job(self, run: str) -> dict[str, Any] | None:
        """A job with its `clients`; None if there is no row. Decimals are texts, so that they stay exact."""
        return self._read(lambda: self._job(run))

    def latest(self, most: int, statuses: Sequence[Status]) -> list[dict[str, Any]]:
        """The jobs with the latest events, newest first, without their clients; of any status if none is named."""
        return self._read(lambda: [self._told_job(row) for row in self._reader.latest(most, statuses)])

    def announced(self, run: str, job_type: str, stream: int | None) -> dict[str, Any]:
        """A job as `job` would answer it, of which nothing is known but its start. Reads nothing."""
        return self._told_job(JobRow(run=run, job_type=job_type, stream=stream, announced=True)) | {"clients": []}

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._link.close()

    def _job(self, run: str) -> dict[str, Any] | None:
        row = self._reader.job(run)
        if row is None:
            return None
        return self._told_job(row) | {"clients": [self._told_client(client) for client in self._reader.clients(run)]}

    def _read(self, work: Callable[[], T]) -> T:
        with self._lock:
            try:
                return self._once(work)
            except StoreUnavailable:
                # The connection had ended while nobody used it; reading again does no harm.
                return self._once(work)

    def _once(self, work: Callable[[], T]) -> T:
        if self._link.open() != self._epoch:
            claim_layout(self._link, self._partitions)
            self._epoch = self._link.epoch
        return work()

    def _told_job(self, row: JobRow) -> dict[str, Any]:
        processed = sum(number for status, number in row.clients.items() if status is not Status.RUNNING)
        return self._told(row, row.metrics, "job") | {
            "job_type": row.job_type,
            "stream": row.stream,
            "client_counts": {str(status): number for status, number in row.clients.items()},
            "clients_processed": processed,
            "clients_with_errors": row.with_errors,
        }

    def _told_client(self, row: ClientRow) -> dict[str, Any]:
        told = self._told(row, self._registry.effective(row.metrics), "client")
        return told | {"client_id": row.client, "client_name": row.name, "skips": dict(row.skips), "unknown_metrics": dict(row.unknown)}

    def _told(self, row: JobRow | ClientRow, metrics: dict[str, Any], table: str) -> dict[str, Any]:
        rates = {rate.name: rate.of(metrics) for rate in self._registry.rates_for(table)}
        told = {
            "run_id": row.row_id,
            "status": str(row.status),
            "announced": row.announced,
            "start": row.start,
            "end": row.end,
            "metrics": metrics,
            "rates": rates,
            "events": row.events,
        }
        texts = {name: text(row, name) for name in TEXTS if hasattr(row, name)}
        members: dict[str, Any] = msgspec.to_builtins(told | texts)
        return members
