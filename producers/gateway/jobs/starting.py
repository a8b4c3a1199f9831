"""Starting a job: its run ID, its lock, its start in the log. A start that is repeated under the same name is one start."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import uuid4

import msgspec

from contract import run_id as run_ids
from contract.errors import AlreadyRunning, LockInvalid, RunIdInvalid, RuntallyError
from contract.link import Link
from producers.exclusive.scope import Scope, scope_of
from producers.gateway.access.caller import Caller
from producers.gateway.context import Gateway, unavailable
from producers.gateway.jobs import holding, started
from producers.gateway.jobs.asked import StartJob
from producers.gateway.jobs.entries import started_entries
from producers.gateway.members import member_refused
from producers.gateway.problem import Problem
from producers.runs.run_ids import take_run_id

_FIRST_TERM_S = 60.0
"""Until its start is in the log a job holds its lock for this long only: a gateway that dies in between leaves little behind."""

_MOST_KEY_CHARS = 255


class Begun(NamedTuple):
    """A job that has started. `fence`: the fencing number of its lock, None without one. `repeated`: it had started before, by another
    attempt; of all attempts under one name exactly one is told otherwise. `attempt`: what tells this one from the others."""

    run: str
    fence: int | None
    repeated: bool
    attempt: str = ""


async def start_job(gateway: Gateway, caller: Caller, asked: StartJob, key: str | None) -> Begun:
    """Take the lock, put the start into the log, in this order. Under the same `key`, or run ID, it is the same start every time.

    Raises Problem: 409 while another holds the lock, 422 for what cannot be started, 503 while Redis cannot be asked (then nothing is
    started; under a key the lock may stand for a minute, for the repeat to take over). If the gateway was frozen for that minute
    and another took the lock, it is a 409, and the run that was announced is closed by the sweeper."""
    scope = _scope(asked)
    start = started.Start(_digest(asked), scope.operation, asked.stream, scope.client, asked.exclusive)
    settings = gateway.settings
    try:
        run = await _run_id(gateway, caller, asked, key)
        standing = await gateway.store.run(lambda link: started.begin(link, run, start, settings.retention_s))
        if standing.start is not None and standing.start.digest != start.digest:
            what = "this Idempotency-Key" if key is not None else f"the run ID {run}"
            raise Problem(422, "key-reused", f"{what} was used for another start: send that one again, or use another")
        if standing.phase is not started.Phase.STARTING:
            return Begun(run, standing.fence, True)
        fence = await _take(gateway, caller, start, run)
        await _announce(gateway, asked, start, run, nameless=key is None and asked.run_id is None)
        attempt = Begun(run, fence, False, uuid4().hex)
        begun = await gateway.store.run(lambda link: _confirm(link, gateway, caller, start, attempt))
    except AlreadyRunning as error:
        raise _refused(error, scope) from error
    except RuntallyError as error:
        raise unavailable(error) from error
    return begun


def _scope(asked: StartJob) -> Scope:
    try:
        return scope_of(asked.job_type, asked.stream if asked.client_id is None else None, asked.client_id)
    except LockInvalid as error:
        raise member_refused("job_type", str(error)) from None
    except RunIdInvalid as error:
        raise member_refused("client_id", str(error)) from None


def _digest(asked: StartJob) -> str:
    return sha256(msgspec.json.encode(asked)).hexdigest()[:32]


async def _run_id(gateway: Gateway, caller: Caller, asked: StartJob, key: str | None) -> str:
    """The run ID that goes by the key, that was asked for, or a new one. Raises StoreUnavailable, StoreRefused, Problem."""
    wanted = None if asked.run_id is None else _wanted(asked.run_id)
    if key is not None:
        if not 0 < len(key) <= _MOST_KEY_CHARS:
            raise Problem(422, "key-unusable", f"an Idempotency-Key has 1 to {_MOST_KEY_CHARS} characters")
        name = sha256(f"{caller.id} {key}".encode()).hexdigest()
        run = await gateway.named_runs.run_id("start", name, candidate=wanted)
        if wanted not in (None, run):
            raise Problem(422, "key-reused", "this Idempotency-Key was used for another start: send that one again, or use another key")
        return run
    if wanted is not None:
        return wanted
    taken = await asyncio.to_thread(take_run_id, gateway.settings)
    if not taken.reserved:
        raise Problem(503, "store-away", "no run ID can be reserved now: send it again later", retry_after_s=2)
    return taken.run_id


def _wanted(text: str) -> str:
    try:
        run = run_ids.require(text)
    except RunIdInvalid as error:
        raise member_refused("run_id", str(error)) from None
    if run.base is None or run.client is not None:
        raise member_refused("run_id", f"it names a client's run: use the job's, {run.base}")
    return run.base


async def _take(gateway: Gateway, caller: Caller, start: started.Start, run: str) -> int | None:
    if not start.exclusive:
        return None
    ttl_s = min(_FIRST_TERM_S, gateway.settings.lock_ttl_s)
    return await gateway.store.run(lambda link: holding.take(link, start.scope, run, ttl_s, caller.name))


async def _announce(gateway: Gateway, asked: StartJob, start: started.Start, run: str, *, nameless: bool) -> None:
    """Put the start into the log. If that fails, a run that nobody can name again gives its lock back."""
    try:
        await gateway.put(
            started_entries(run, asked, start.scope, origin=None if asked.run_id else holding.token_of(run), at=datetime.now(UTC))
        )
    except BaseException:
        if nameless and start.exclusive:
            with suppress(RuntallyError):
                await gateway.store.run(lambda link: holding.release(link, start.scope, run))
        raise


def _confirm(link: Link, gateway: Gateway, caller: Caller, start: started.Start, attempt: Begun) -> Begun:
    """The log has it: from now on it holds the lock for the whole term, and its repeat does nothing."""
    settings, run, fence = gateway.settings, attempt.run, attempt.fence
    if start.exclusive and not holding.renew(link, start.scope, run, settings.lock_ttl_s):
        fence = holding.take(link, start.scope, run, settings.lock_ttl_s, caller.name)
    marked = started.mark_started(link, run, attempt.attempt, fence, settings.retention_s)
    if marked.done and start.exclusive:
        holding.release(link, start.scope, run)
    return attempt._replace(fence=fence, repeated=not marked.first)


def _refused(error: AlreadyRunning, scope: Scope) -> Problem:
    told = {"run_id": error.run_id, "age_s": round(error.age_s, 3), "remaining_s": round(error.remaining_s, 3)}
    who = "a run that told no ID" if error.run_id is None else f"run {error.run_id}"
    detail = f"{scope} is running already: {who}, for {error.age_s:,.0f} s; wait for its end, or complete it"
    return Problem(409, "already-running", detail, more=told)
