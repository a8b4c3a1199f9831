"""A job and its client runs as context managers, that complete themselves, also when the work raises."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple

from contract import run_id as run_ids
from contract.errors import RunIdConflict
from contract.events import EventType
from contract.shown import shown
from contract.status import Status
from producers import exits
from producers.default import publisher as default_publisher
from producers.exclusive import Exclusive, exclusive
from producers.origins import origin_of
from producers.publish.event import Subject
from producers.publisher import Publisher
from producers.runs import heartbeat
from producers.runs.awaited import Awaited
from producers.runs.run_ids import take_run_id

_TOLD = 2_000
"""Most characters of an exception that are told in the notes."""


def told(error: BaseException) -> str:
    """An exception as a note: its type and its text."""
    text = "cancelled" if was_cancelled(error) else type(error).__name__
    return f"{text}: {error}"[:_TOLD] if str(error) else text


def was_cancelled(error: BaseException) -> bool:
    """Whether it says that an asyncio task was cancelled. By its name: asyncio is not loaded for those who do not use it."""
    return type(error).__name__ == "CancelledError"


class ClientRun(Awaited):
    """One client in a job. Every call is an event: it returns at once and never raises for transport trouble."""

    def __init__(self, publisher: Publisher, subject: Subject, name: str | None) -> None:
        super().__init__()
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

    def tell(self, data: dict[str, Any], *, id: str | None = None) -> bool:
        """What contract.events.Data names, as one event; False when it was dropped, and counted as such. `id`: an identity that is the
        same at every repeat: told again within `id_memory_s`, the event counts once."""
        return self._put(EventType.METRICS_UPDATED, data, id)

    def tell_through(self, data: dict[str, Any], *, id: str) -> bool:
        """`tell`, for callers in a thread of their own: waits where another thread writes, and so knows whether it was taken."""
        return self._told_through(self._publisher.put, EventType.METRICS_UPDATED, self._subject, data, id)

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
        data = {"success": success, "status": status, "note": note, "error": error}
        # A SIGTERM in between would find nothing to tell.
        with exits.undisturbed():
            self._completed = True
            self._put(EventType.CLIENT_COMPLETED, {name: value for name, value in data.items() if value is not None})

    def abort(self, note: str) -> None:
        """SIGTERM ends the process in the midst of the block."""
        if not self._completed:
            self._completed = True
            # Past the writer, if there is one: nobody would wait for it.
            self._publisher.put(EventType.CLIENT_COMPLETED, self._subject, {"success": False, "note": note})

    def beat(self) -> None:
        """Tell that the run is alive; sent by itself while the block is open."""
        self._put(EventType.CLIENT_HEARTBEAT, {})

    def beat_every_s(self) -> float:
        """Seconds between two heartbeats."""
        return heartbeat.interval_s(self._publisher.settings.stale_after_s)

    def _put(self, kind: EventType, data: dict[str, Any], id: str | None = None) -> bool:
        if self._writer is None:
            return self._publisher.put(kind, self._subject, data, id)
        return self._told(self._publisher.put, kind, self._subject, data, id)

    @property
    def _durable(self) -> bool:
        return self._publisher.settings.durable

    def __enter__(self) -> ClientRun:
        started = {"client_name": self._name, "origin": origin_of(self._subject.run)}
        with exits.undisturbed():
            self._put(EventType.CLIENT_STARTED, {name: value for name, value in started.items() if value is not None})
            heartbeat.begin(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not self._completed:
            if error is None:
                self.complete()
            elif was_cancelled(error):
                self.complete(success=False, note=told(error))
            else:
                self.complete(success=False, error=told(error))
        heartbeat.end(self)


class Job(Awaited):
    """One job. Its metrics are the totals of its clients; an exception in the block makes it Failed and is passed on.

    Entering asks Redis where it must: 2 s at most for a run ID that no other machine takes, and for the lock if it is exclusive. Then a
    second start raises AlreadyRunning, and StoreUnavailable when Redis cannot be asked, before an event is told.
    """

    def __init__(  # what a job is, and whether it lets others start
        self,
        publisher: Publisher | None,
        run_id: str | None,
        job_type: str | None,
        stream: int | None,
        origin: str | None,
        exclusive: bool = False,
    ) -> None:
        """`publisher`: the process's own for None. `run_id`: one is made at first need for None, and its maker is its origin.
        `origin`: who made the run ID, if it is new. Raises RunIdInvalid, and RunIdConflict for the run ID of a client's run."""
        super().__init__()
        self.lock: Exclusive | None = None
        """What keeps others from starting, once the block is entered; None if it is not exclusive."""
        self._wanted = (publisher, None if run_id is None else _jobs(run_id), origin)
        self._job_type = job_type
        self._stream = stream
        self._exclusive = exclusive
        self._opening = threading.Lock()
        self._opened: _Opened | None = None
        self._completed = False
        if publisher is not None and run_id is not None:
            self._open()

    @property
    def run_id(self) -> str:
        """The job's run ID, in standard form. Before the block is entered this may ask Redis for one."""
        return self._open().subject.row_id

    def client(self, client_id: str, name: str | None = None) -> ClientRun:
        """One client's part, to be used in a `with`. Raises RunIdInvalid for a client ID that cannot stand in a run ID."""
        own = self._open().publisher
        return ClientRun(own, own.subject(self.run_id, client_id), name)

    def note(self, text: str) -> None:
        """Add a line to the job's system notes."""
        self._put(EventType.ROWS_REQUESTED, {"note": text})

    def complete(self, *, success: bool = True, status: str | None = None, note: str | None = None) -> None:
        """Tell the orchestrator's outcome now; leaving the block then tells nothing more."""
        data = {"success": success, "status": status, "note": note}
        # As above.
        with exits.undisturbed():
            self._completed = True
            self._put(EventType.JOB_COMPLETED, {name: value for name, value in data.items() if value is not None})

    def abort(self, note: str) -> None:
        """SIGTERM ends the process in the midst of the block."""
        if not self._completed:
            self._completed = True
            own, subject, _ = self._open()
            own.put(EventType.JOB_COMPLETED, subject, {"status": Status.FAILED, "note": note})

    def beat(self) -> None:
        """Tell that the job is alive; sent by itself while the block is open."""
        self._put(EventType.JOB_HEARTBEAT, {})

    def beat_every_s(self) -> float:
        """Seconds between two heartbeats."""
        return heartbeat.interval_s(self._open().publisher.settings.stale_after_s)

    def _open(self) -> _Opened:
        """What has to be known before an event can be told. May ask Redis, once."""
        if self._opened is None:
            with self._opening:
                if self._opened is None:
                    publisher, run_id, origin = self._wanted
                    own = default_publisher() if publisher is None else publisher
                    if run_id is None:
                        run_id, origin, _ = take_run_id(own.settings)
                    subject = own.subject(run_id)
                    self._opened = _Opened(own, subject, origin or origin_of(subject.run))
        return self._opened

    def _put(self, kind: EventType, data: dict[str, Any]) -> None:
        own, subject, _ = self._open()
        self._told(own.put, kind, subject, data)

    @property
    def _waits(self) -> bool:
        return self._opened is None or self._exclusive or self._durable

    @property
    def _durable(self) -> bool:
        return self._open().publisher.settings.durable

    def __enter__(self) -> Job:
        own, subject, origin = self._open()
        if self._exclusive:
            lock = exclusive(self._job_type or "", stream=self._stream, run_id=subject.row_id)
            lock.__enter__()
            self.lock = lock
        started = {"job_type": self._job_type, "stream": self._stream, "origin": origin}
        with exits.undisturbed():
            own.put(EventType.JOB_STARTED, subject, {name: value for name, value in started.items() if value is not None})
            heartbeat.begin(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self._completed:
            self.complete(
                success=error is None, status=None if error is None else Status.FAILED, note=None if error is None else told(error)
            )
        heartbeat.end(self)
        if self.lock is not None:
            self.lock.__exit__(kind, error, trace)


def _jobs(run_id: str) -> str:
    run = run_ids.require(run_id)
    if run.base is None or run.client is not None:
        raise RunIdConflict(
            f"{shown(run.standard)} is the run of client {shown(run.client)}, not a job's: use {run.base} for the job. "
            "Within `runtally exec --client` producers.current_run() is the client's run"
        )
    return run.base


class _Opened(NamedTuple):
    publisher: Publisher
    subject: Subject
    origin: str | None
