"""Your own code for what webhooks bring and for jobs that are started over HTTP.

`RUNTALLY_HANDLERS=package.module` names a module with functions under these decorators.

    from producers.gateway.handlers import Skip, on_job, on_leads

    @on_leads
    def take(client_id, lead):
        if "email" not in lead:
            raise Skip("NO_CONTENT")
        save(client_id, lead)

    @on_job("batch_scoring")
    def score(job, parameters):
        for client in clients(parameters.get("group")):
            with job.client(client) as run:
                run.count(leads_processed=score_all(client))

What returns has accepted the item; Skip leaves it out, with its reason; any other exception counts as failed, and the other items go on.
A job's function gets the job, which completes when it returns, and is Failed when it raises, and the request's `parameters`.

Plain functions run in a thread, coroutines in the gateway's event loop, which they must not block.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from contract.errors import SettingsInvalid
from producers.runs import Job
from producers.scoring.tally import Skip

__all__ = ["Handler", "JobHandler", "Skip", "handler_of", "job_handler_of", "load_handlers", "on_job", "on_leads", "on_profiles"]

Handler = Callable[[str, dict[str, Any]], Any]
"""Called with the client ID and the item, a JSON object."""

JobHandler = Callable[[Job, dict[str, Any]], Any]
"""Called with the job and the request's parameters, a JSON object."""

F = TypeVar("F", bound=Handler)
G = TypeVar("G", bound=JobHandler)

_registered: dict[str, Handler] = {}
_registered_jobs: dict[str, JobHandler] = {}


def on_leads(function: F) -> F:
    """Call the function for each lead of `POST /webhooks/leads`. Raises ValueError for a second one."""
    return _register("leads", function)


def on_profiles(function: F) -> F:
    """Call the function for each profile of `POST /webhooks/profiles`. Raises ValueError for a second one."""
    return _register("profiles", function)


def on_job(job_type: str) -> Callable[[G], G]:
    """Call the function for each job of this type that `POST /v1/jobs` starts. Raises ValueError for a second one."""

    def register(function: G) -> G:
        known = _registered_jobs.get(job_type)
        if known is not None and _name(known) != _name(function):
            raise ValueError(f"@on_job({job_type!r}) stands at {_name(known)} already: there is one handler for a job type")
        _registered_jobs[job_type] = function
        return function

    return register


def job_handler_of(job_type: str) -> JobHandler | None:
    """The handler of a job type; None if there is none: then whoever started the job does it, and completes it."""
    return _registered_jobs.get(job_type)


def handler_of(kind: str) -> Handler | None:
    """The handler of a kind, `leads` or `profiles`; None if there is none: then every item counts as accepted."""
    return _registered.get(kind)


def load_handlers(module: str | None) -> None:
    """Import the module with the handlers, also from the working directory. Raises SettingsInvalid saying why it cannot be had."""
    if module is None:
        return
    if "" not in sys.path:
        # A console script has its own directory there, not the one it was started in.
        sys.path.insert(0, "")
    try:
        importlib.import_module(module)
    except Exception as error:
        raise SettingsInvalid(f"RUNTALLY_HANDLERS: {module} cannot be imported: {type(error).__name__}: {error}") from error
    if not _registered and not _registered_jobs:
        raise SettingsInvalid(f"RUNTALLY_HANDLERS: {module} has no function under @on_leads, @on_profiles or @on_job")


def _register(kind: str, function: F) -> F:
    known = _registered.get(kind)
    if known is not None and _name(known) != _name(function):
        raise ValueError(f"@on_{kind} stands at {_name(known)} already: there is one handler for {kind}")
    _registered[kind] = function
    return function


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', repr(function))}"
