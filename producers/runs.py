"""A job and its client runs as context managers, that complete themselves, also when the work raises."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from contract.events import EventType
from contract.status import Status
from producers import heartbeat
from producers.publisher import Publisher, Subject

if TYPE_CHECKING:
    from producers.exclusive import Exclusive

_TOLD = 2_000
"""Most characters of an exception that are told in the notes."""


def told(error: BaseException) -> str:
    """An exception as a note: its type and its text."""
    return f"{type(error).__name__}: {error}"[:_TOLD]


class ClientRun:
    """One client in a job. Every call is an event: it returns at once and never raises for transport trouble."""

    def __init__(self, publisher: Publisher, subject: Subject, name: str | None) -> None:
        self._publisher = publisher
        self._subject = subject
        self._name = name
        self._completed = False

    @property
    def run_id(self) -> str:
        """The client run's ID: the job's, with the client."""
        return self._subject.row_id

    def count(self, metrics: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Observations, merged by each metric's aggregation: `count(leads_processed=1)` or `count({"Leads Processed": 1})`."""
        self._put(EventType.METRICS_UPDATED, {"metrics": {**metrics, **more} if metrics else more})

    def total(self, metrics: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Totals so far: each replaces the metric's sum, and later observations add to it."""
        self._put(EventType.METRICS_UPDATED, {"totals": {**metrics, **more} if metrics else more})

    def skip(self, reason: str, number: int = 1) -> None:
        """Count leads that were skipped, by reason code (`NO_CONTENT`, `SAFETY_BLOCK`, … or your own)."""
        self._put(EventType.METRICS_UPDATED, {"metrics": {"leads_skipped": number}, "skips": {reason: number}})

    def error(self, text: str) -> None:
        """Count an error and tell it in the error details. The run goes on."""
        self._put(EventType.METRICS_UPDATED, {"metrics": {"errors": 1}, "error": text})

    def note(self, text: str) -> None:
        """Add a line to the system notes."""
        self._put(EventType.PROGRESS_LOGGED, {"note": text})

    def progress(self, operation: str, state: str, text: str = "") -> None:
        """Add a line to the progress log."""
        self._put(EventType.PROGRESS_LOGGED, {"progress": {"operation": operation, "state": state, "text": text}})

    def complete(self, *, success: bool = True, status: str | None = None, note: str | None = None, error: str | None = None) -> None:
        """Tell the outcome now; leaving the block then tells nothing more. `status`: any word of spec §2, wins over `success`."""
        self._completed = True
        data = {"success": success, "status": status, "note": note, "error": error}
        self._put(EventType.CLIENT_COMPLETED, {name: value for name, value in data.items() if value is not None})

    def beat(self) -> None:
        """Tell that the run is alive; sent by itself while the block is open."""
        self._put(EventType.CLIENT_HEARTBEAT, {})

    def beat_every_s(self) -> float:
        """Seconds between two heartbeats."""
        return heartbeat.interval_s(self._publisher.settings.stale_after_s)

    def _put(self, kind: EventType, data: dict[str, Any]) -> None:
        self._publisher.put(kind, self._subject, data)

    def __enter__(self) -> ClientRun:
        self._put(EventType.CLIENT_STARTED, {} if self._name is None else {"client_name": self._name})
        heartbeat.begin(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        heartbeat.end(self)
        if not self._completed:
            if error is None:
                self.complete()
            else:
                self.complete(success=False, error=told(error))


class Job:
    """One job. Its metrics are the totals of its clients; an exception in the block makes it Failed and is passed on.

    With a `lock` a second start raises AlreadyRunning, and StoreUnavailable when Redis cannot be asked, before an event is told.
    """

    def __init__(  # what a job is, and who lets it start
        self,
        publisher: Publisher,
        run_id: str,
        job_type: str | None,
        stream: int | None,
        origin: str | None,
        lock: Exclusive | None = None,
    ) -> None:
        """`origin`: who made the run ID, if it is new. `lock` is taken before anything is told, and given back at the end."""
        self.lock = lock
        self._publisher = publisher
        self._subject = publisher.subject(run_id)
        started = {"job_type": job_type, "stream": stream, "origin": origin}
        self._started = {name: value for name, value in started.items() if value is not None}
        self._completed = False

    @property
    def run_id(self) -> str:
        """The job's run ID, in standard form."""
        return self._subject.row_id

    def client(self, client_id: str, name: str | None = None) -> ClientRun:
        """One client's part, to be used in a `with`. Raises RunIdInvalid for a client ID that cannot stand in a run ID."""
        return ClientRun(self._publisher, self._publisher.subject(self.run_id, client_id), name)

    def note(self, text: str) -> None:
        """Add a line to the job's system notes."""
        self._put(EventType.ROWS_REQUESTED, {"note": text})

    def complete(self, *, success: bool = True, status: str | None = None, note: str | None = None) -> None:
        """Tell the orchestrator's outcome now; leaving the block then tells nothing more."""
        self._completed = True
        data = {"success": success, "status": status, "note": note}
        self._put(EventType.JOB_COMPLETED, {name: value for name, value in data.items() if value is not None})

    def beat(self) -> None:
        """Tell that the job is alive; sent by itself while the block is open."""
        self._put(EventType.JOB_HEARTBEAT, {})

    def beat_every_s(self) -> float:
        """Seconds between two heartbeats."""
        return heartbeat.interval_s(self._publisher.settings.stale_after_s)

    def _put(self, kind: EventType, data: dict[str, Any]) -> None:
        self._publisher.put(kind, self._subject, data)

    def __enter__(self) -> Job:
        if self.lock is not None:
            self.lock.__enter__()
        self._put(EventType.JOB_STARTED, self._started)
        heartbeat.begin(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        heartbeat.end(self)
        if not self._completed:
            self.complete(
                success=error is None, status=None if error is None else Status.FAILED, note=None if error is None else told(error)
            )
        if self.lock is not None:
            self.lock.__exit__(kind, error, trace)
