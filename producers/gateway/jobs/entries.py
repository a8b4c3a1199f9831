"""The events that job requests stand for. Their IDs follow from what was asked, so that a repeat counts once."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from contract.events import EventType, encode_event
from contract.run_id import with_client
from contract.sources import JOBS
from producers.exclusive.scope import Scope
from producers.gateway.entry import Entry
from producers.gateway.jobs.asked import ClientMetrics, CompleteClient, CompleteJob, StartJob


def started_entries(run: str, asked: StartJob, scope: Scope, *, origin: str | None, at: datetime) -> list[Entry]:
    """The job's start, and the start of its one client's run where there is one. `origin`: who made the run ID, if it is new."""
    told = {"job_type": scope.operation, "stream": asked.stream, "note": asked.notes, "origin": origin}
    entries = [_entry(EventType.JOB_STARTED, run, None, f"{run}/started", told, at)]
    if scope.client is not None:
        entries.append(_entry(EventType.CLIENT_STARTED, run, scope.client, f"{run}/client/started", {"client_name": asked.client_name}, at))
    return entries


def completed_entry(run: str, asked: CompleteJob, number: int, digest: str, at: datetime) -> Entry:
    """The `number`th outcome of the job."""
    told = {"success": asked.success, "status": asked.status, "note": asked.notes}
    return _entry(EventType.JOB_COMPLETED, run, None, f"{run}/completed/{number}/{digest}", told, at)


def client_completed_entry(run: str, client: str, asked: CompleteClient, number: int, digest: str, at: datetime) -> Entry:
    """The `number`th outcome of the client's run."""
    told = {"success": asked.success, "status": asked.status, "note": asked.notes, "error": asked.error, "totals": asked.totals}
    return _entry(EventType.CLIENT_COMPLETED, run, client, f"{run}/client/completed/{number}/{digest}", told, at)


def metrics_entry(run: str, client: str, asked: ClientMetrics, id: str, at: datetime) -> Entry:
    """What the client's run has done. `id`: the same at every repeat."""
    told: dict[str, Any] = {"metrics": asked.metrics, "totals": asked.totals, "skips": asked.skips}
    told |= {"client_name": asked.client_name, "note": asked.notes, "error": asked.error}
    return _entry(EventType.METRICS_UPDATED, run, client, f"{run}/client/metrics/{id}", told, at)


def heartbeat_entry(run: str, at: datetime) -> Entry:
    """A sign of life of the job."""
    return _entry(EventType.JOB_HEARTBEAT, run, None, f"{run}/heartbeat/{uuid4().hex}", {}, at)


def _entry(type: EventType, run: str, client: str | None, id: str, told: dict[str, Any], at: datetime) -> Entry:
    subject = run if client is None else with_client(run, client)
    data = {name: value for name, value in told.items() if value is not None and value != {}}
    return Entry(run, encode_event(id=id, source=JOBS, type=type, subject=subject, time=at, sequence=None, data=data))
