"""The run that is being worked on here: for functions that are called by tracked ones, and do not get it as an argument.

It is known in tracked functions and Celery tasks, across their awaits and in `asyncio.to_thread`, and in programs that `runtally exec`
has started. A thread or pool of one's own gets it by `contextvars.copy_context().run`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from contract import run_id as run_ids
from contract.errors import NoCurrentRun
from producers.default import publisher
from producers.runs.job import ClientRun, Job


class Current(NamedTuple):
    """A job at work, and its one client run, where it has one."""

    job: Job
    run: ClientRun | None


_current: ContextVar[Current | None] = ContextVar("runtally_current", default=None)


@contextmanager
def working_on(job: Job, run: ClientRun | None) -> Iterator[None]:
    """Within the block they are what is current."""
    token = _current.set(Current(job, run))
    try:
        yield
    finally:
        _current.reset(token)


def current_job() -> Job:
    """The job that is being worked on here. It completes by itself. Raises NoCurrentRun where nothing is tracked."""
    return _here().job


def current_run() -> ClientRun:
    """The client run that is being worked on here. It completes by itself.

    Raises NoCurrentRun where nothing is tracked, and where a job is tracked that was given no client.
    """
    run = _here().run
    if run is None:
        raise NoCurrentRun("the job here has no client, and metrics belong to one: use producers.current_job().client(…)")
    return run


def _here() -> Current:
    current = _current.get() or _given_by_exec()
    if current is None:
        raise NoCurrentRun("nothing is tracked here: use producers.tracked, producers.job or `runtally exec`")
    return current


def _given_by_exec() -> Current | None:
    own = publisher()
    if own.settings.run_id is None:
        return None
    given = run_ids.require(own.settings.run_id)
    job = Job(own, str(given.base), None, None, None)
    return Current(job, None if given.client is None else job.client(given.client))
