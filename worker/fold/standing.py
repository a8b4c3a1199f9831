"""What follows from what is known of a row (spec §2): its status, whether a client run counts as one with an error, a job's span."""

from __future__ import annotations

from contract.registry import Registry
from contract.status import Status
from worker.rows import ClientRow, JobRow

_ERRORS = "Errors"


def client_status(row: ClientRow, registry: Registry) -> Status:
    """Spec §2: Running until an outcome was told; success with no work done is No Leads To Score."""
    if row.outcome is None:
        return Status.RUNNING
    if row.outcome.status is Status.COMPLETED and not registry.did_work(row.metrics):
        return Status.NO_LEADS
    return row.outcome.status


def job_status(row: JobRow) -> Status:
    """Spec §2: Running until the orchestrator has told an outcome and every client run is terminal."""
    if row.outcome is None or row.clients.get(Status.RUNNING, 0):
        return Status.RUNNING
    clients = sum(row.clients.values())
    if row.outcome.status is Status.FAILED or (clients and row.clients.get(Status.FAILED, 0) == clients):
        return Status.FAILED
    if clients:
        return Status.NO_LEADS if row.clients.get(Status.NO_LEADS, 0) == clients else Status.COMPLETED
    return row.outcome.status


def with_error(row: ClientRow) -> bool:
    """Whether the client run failed or recorded an error."""
    return row.status is Status.FAILED or bool(row.metrics.get(_ERRORS, 0)) or bool(row.errors)


def ended_with_error(row: ClientRow) -> bool:
    """The same of a client run that is done."""
    return row.terminal and with_error(row)


def widen(job: JobRow, client: ClientRow) -> None:
    """A job begins with its first client run, and ends with the last work of one."""
    if client.start is not None and (job.start is None or client.start < job.start):
        job.start = client.start
    if client.end is not None and (job.end is None or client.end > job.end):
        job.end = client.end
