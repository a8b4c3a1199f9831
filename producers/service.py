"""The service's calls (spec §5): fire and forget, with the names of the system they replace.

None raises because Redis or the network is away. Bad arguments raise, and say what to write instead, since they could never count:
RunIdInvalid (no run ID), RunIdConflict (another client's, or a client's where a job's is meant), EventRejected (metrics that are no
mapping, no client). A metric's value that cannot be used does not raise: the fold sets it aside alone, with a note.
Each returns False when the event was dropped because the buffer was full.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from contract import run_id as run_ids
from contract.events import EventType
from producers.default import publisher
from producers.exclusive.scope import scope_of
from producers.runs import Job
from producers.runs.run_ids import make_run_id


def job(job_type: str | None = None, *, stream: int | None = None, run_id: str | None = None, exclusive: bool = False) -> Job:
    """A job to be used in a `with` or an `async with`. `run_id` continues a run; without it entering makes and reserves one.

    `exclusive`: entering raises AlreadyRunning while a job of this type and stream is at work anywhere (docs/locks.md). Raises
    RunIdInvalid, LockInvalid, and RunIdConflict for a client's run: within `runtally exec` that one is `current_run()`. Asks nobody yet:
    entering asks Redis, in an `async with` without holding up the loop.
    """
    if exclusive:
        scope_of(job_type or "", stream, None)
    return Job(None, run_id, job_type, stream, None, exclusive)


def flush(timeout_s: float = 5.0) -> int:
    """Wait until everything emitted is delivered, at most `timeout_s`; the number of events that are not."""
    return publisher().flush(timeout_s)


def generate_run_id(now: datetime | None = None) -> str:
    """A new run ID, different from any other made in the same second, on any machine while Redis is there.

    Made while Redis is away it may be another machine's too: the job's notes tell so, once both have announced their runs."""
    return make_run_id(publisher().settings, now)


def convert_to_standard_format(run_id: object) -> str:
    """The standard form of a run ID in any known format. Raises RunIdInvalid when it has none."""
    return run_ids.convert(run_id)


def is_valid_run_id(run_id: object) -> bool:
    """Whether it is a run ID that has a standard form. Never raises."""
    return run_ids.is_valid(run_id)


def create_job_tracking_record(
    run_id: str, job_type: str | None = None, *, stream: int | None = None, notes: str | None = None, time: datetime | None = None
) -> bool:
    """Announce a job: its row appears as Running."""
    return _emit(EventType.JOB_STARTED, run_id, None, time, job_type=job_type, stream=stream, note=notes)


def update_job_tracking_record(
    run_id: str, *, status: str | None = None, job_type: str | None = None, stream: int | None = None, notes: str | None = None
) -> bool:
    """Change what the job's row says. Its metrics cannot be set: they are the totals of its clients."""
    return _emit(EventType.ROWS_REQUESTED, run_id, None, None, status=status, job_type=job_type, stream=stream, note=notes)


def update_job_aggregate_metrics(run_id: str) -> bool:
    """Ask for the job's row to be written now. Its totals are always current; this only marks it for the next flush."""
    return _emit(EventType.ROWS_REQUESTED, run_id, None, None)


def complete_job_metrics(run_id: str, success: bool = True, notes: str | None = None, *, time: datetime | None = None) -> bool:
    """The orchestrator is done. The job ends when its last client run does."""
    return _emit(EventType.JOB_COMPLETED, run_id, None, time, success=success, note=notes)


def create_client_run_record(run_id: str, client_id: str, client_name: str | None = None, *, time: datetime | None = None) -> bool:
    """Announce a client run: its row appears as Running."""
    return _emit(EventType.CLIENT_STARTED, run_id, client_id, time, client_name=client_name)


def update_client_metrics(
    run_id: str,
    client_id: str,
    metrics: Mapping[str, Any],
    *,
    totals: Mapping[str, Any] | None = None,
    notes: str | None = None,
    time: datetime | None = None,
) -> bool:
    """Observations of a client run, each merged by its metric's aggregation; `totals` replace the sums so far."""
    return _emit(EventType.METRICS_UPDATED, run_id, client_id, time, metrics=metrics, totals=totals, note=notes)


def complete_client_metrics(
    run_id: str,
    client_id: str,
    success: bool = True,
    metrics: Mapping[str, Any] | None = None,
    *,
    notes: str | None = None,
    error: str | None = None,
    time: datetime | None = None,
) -> bool:
    """A client run is done. `metrics` are its final totals: each replaces the sum so far."""
    return _emit(EventType.CLIENT_COMPLETED, run_id, client_id, time, success=success, totals=metrics, note=notes, error=error)


def _emit(kind: EventType, run_id: str, client_id: str | None, time: datetime | None, **fields: Any) -> bool:
    data = {name: value for name, value in fields.items() if value is not None}
    return publisher().emit(kind, {**data, "run_id": run_id, "client_id": client_id}, time=time)
