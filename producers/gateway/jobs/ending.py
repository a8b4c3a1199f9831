"""The end of a job or of a client's run, told over HTTP, and signs of life until then."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from contract.errors import RuntallyError, StatusUnknown
from contract.run_id import with_client
from contract.status import Status, map_status
from producers.gateway.context import Gateway, unavailable
from producers.gateway.jobs import started
from producers.gateway.jobs.asked import CompleteClient, CompleteJob
from producers.gateway.jobs.entries import client_completed_entry, completed_entry, heartbeat_entry
from producers.gateway.members import member_refused


async def complete_job(gateway: Gateway, run: str, asked: CompleteJob) -> None:
    """Put the outcome into the log, then give the job's lock back. A repeat of the last outcome counts once; another one corrects it.

    Raises Problem. Dying in between leaves the lock to its repeat, or to its end."""
    _check(asked)
    digest, number = await _numbered(gateway, run, asked)
    await gateway.put([completed_entry(run, asked, number, digest, datetime.now(UTC))])
    try:
        await gateway.locks.end(run)
    except RuntallyError as error:
        raise unavailable(error) from error


async def complete_client(gateway: Gateway, run: str, client: str, asked: CompleteClient) -> None:
    """Put the outcome of a client's run into the log, as `complete_job` does. Raises Problem."""
    _check(asked)
    digest, number = await _numbered(gateway, with_client(run, client), asked)
    await gateway.put([client_completed_entry(run, client, asked, number, digest, datetime.now(UTC))])


async def beat(gateway: Gateway, run: str) -> bool | None:
    """Tell that the job is alive; whether its lock is held still, None for a job without one. Raises Problem."""
    await gateway.put([heartbeat_entry(run, datetime.now(UTC))])
    try:
        return await gateway.locks.renew(run)
    except RuntallyError as error:
        raise unavailable(error) from error


def _check(asked: CompleteJob | CompleteClient) -> None:
    if asked.status is None:
        if asked.success is None:
            raise member_refused("success", "say how it ended: success, or status")
        return
    try:
        status, _ = map_status(asked.status)
    except StatusUnknown as error:
        raise member_refused("status", str(error)) from None
    if status is Status.RUNNING:
        raise member_refused("status", f"{asked.status} is no end: send a heartbeat while it runs")


async def _numbered(gateway: Gateway, row_id: str, asked: CompleteJob | CompleteClient) -> tuple[str, int]:
    """What tells this outcome from others, and its number among those told of the row."""
    digest = sha256(row_id.encode() + b" " + msgspec.json.encode(asked)).hexdigest()[:32]
    keep_s = gateway.settings.retention_s
    try:
        return digest, await gateway.store.run(lambda link: started.outcome_number(link, row_id, digest, keep_s))
    except RuntallyError as error:
        raise unavailable(error) from error
