"""What is answered about jobs: as much as the caller's token allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from contract.errors import RunIdInvalid, RuntallyError, StatusUnknown
from contract.run_id import RunId, require
from contract.shown import shown
from contract.status import Status, map_status
from producers.gateway.access.caller import Caller
from producers.gateway.context import Gateway, unavailable
from producers.gateway.jobs import started
from producers.gateway.problem import Problem

T = TypeVar("T")
_FOR_ANYBODY = ("run_id", "job_type", "stream")
"""What a token that is limited to clients is told of a job: nothing in it comes from other clients."""


def named_run(text: str) -> RunId:
    """The run ID in a path, in any known format. Raises Problem (422)."""
    try:
        return require(text)
    except RunIdInvalid as error:
        raise Problem(422, "run-id-invalid", str(error), errors=[{"where": "run", "reason": str(error)}]) from None


def named_job(text: str) -> str:
    """The run ID of a job in a path. Raises Problem (422), also for a client's run."""
    run = named_run(text)
    if run.base is None or run.client is not None:
        detail = f"{shown(text)} names a client's run: use the job's run ID {run.base}"
        raise Problem(422, "run-id-invalid", detail, errors=[{"where": "run", "reason": detail}])
    return run.base


async def read_job(gateway: Gateway, caller: Caller, run: RunId) -> dict[str, Any]:
    """The job with the client runs that the caller may see; of a client's run ID, with that client alone.

    Raises Problem: 404 if nobody has announced it, and to a token limited to clients if none of them is in it."""
    assert run.base is not None
    base = run.base
    job = await _asked(lambda: gateway.jobs.job(base))
    if job is None:
        job = await _announced(gateway, base)
    if job is None:
        raise _not_found(run)
    clients = [row for row in job["clients"] if caller.may_touch(row["client_id"]) and run.client in (None, row["client_id"])]
    limited = not caller.may_touch(None)
    if not clients and (limited or run.client is not None):
        raise _not_found(run)
    told = {name: job[name] for name in _FOR_ANYBODY} if limited else job
    return told | {"clients": clients}


async def read_latest(gateway: Gateway, most: int, words: Sequence[str]) -> list[dict[str, Any]]:
    """The jobs with the latest events, newest first, without their clients. Raises Problem (422) for a word that is no status."""
    statuses = [_status(word) for word in words]
    return await _asked(lambda: gateway.jobs.latest(most, statuses))


async def _announced(gateway: Gateway, run: str) -> dict[str, Any] | None:
    """A job whose start is in the log and not folded yet."""
    try:
        (standing,) = await gateway.store.run(lambda link: started.look(link, [run]))
    except RuntallyError as error:
        raise unavailable(error) from error
    start = standing.start
    if start is None or standing.phase is started.Phase.STARTING:
        return None
    return gateway.jobs.announced(run, start.operation, start.stream)


def _status(word: str) -> Status:
    try:
        return map_status(word)[0]
    except StatusUnknown as error:
        raise Problem(422, "status-unknown", str(error), errors=[{"where": "status", "reason": str(error)}]) from None


def _not_found(run: RunId) -> Problem:
    return Problem(404, "no-such-run", f"nobody has announced the run {run.standard}, or this token may not see it")


async def _asked(read: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(read)
    except RuntallyError as error:
        raise unavailable(error) from error
