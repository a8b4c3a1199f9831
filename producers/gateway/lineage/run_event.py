"""OpenLineage's run event, as far as it is used: openlineage.io/spec/2-0-2/OpenLineage.json, facets ParentRun 1-2-0, ErrorMessage 1-0-1."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from contract.errors import ValueRejected
from contract.values import to_datetime_text
from producers.gateway.members import converted, member_refused

_Name = Annotated[str, Meta(min_length=1, max_length=2_000)]
_RunName = Annotated[str, Meta(min_length=1, max_length=200)]


class Transition(StrEnum):
    """What became of a run. An event without one is OTHER."""

    START = "START"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    ABORT = "ABORT"
    OTHER = "OTHER"

    @property
    def ends(self) -> bool:
        """Whether the run has ended with it."""
        return self in (Transition.COMPLETE, Transition.FAIL, Transition.ABORT)


class LineageJob(msgspec.Struct, frozen=True):
    """A job, known by its namespace and name."""

    namespace: _Name
    name: _Name


class RunName(msgspec.Struct, frozen=True):
    """A run of some other event."""

    runId: _RunName  # noqa: N815  # OpenLineage's name


class Ancestor(msgspec.Struct, frozen=True):
    """A run that started another one, and its job."""

    run: RunName
    job: LineageJob


class Parent(Ancestor, frozen=True):
    """The run that started this one; `root`: the first in the row of parents."""

    root: Ancestor | None = None


class ErrorMessage(msgspec.Struct, frozen=True):
    """What went wrong."""

    message: str


class Facets(msgspec.Struct, frozen=True):
    """The facets of a run that the gateway itself understands."""

    parent: Parent | None = None
    errorMessage: ErrorMessage | None = None  # noqa: N815  # OpenLineage's name


class _Run(msgspec.Struct, frozen=True):
    runId: _RunName  # noqa: N815  # OpenLineage's name
    facets: Facets | None = None


class _Event(msgspec.Struct, frozen=True):
    eventTime: str  # noqa: N815  # OpenLineage's name
    run: _Run
    job: LineageJob
    eventType: Transition | None = None  # noqa: N815  # OpenLineage's name
    inputs: list[dict[str, Any]] | None = None
    outputs: list[dict[str, Any]] | None = None


class RunEvent(msgspec.Struct, frozen=True):
    """One run event. `written`: all that it says, as it came. `at`: aware, in UTC. `top`: the first ancestor that is known, None for a
    run that nobody started."""

    written: dict[str, Any]
    at: datetime
    transition: Transition
    run: str
    job: LineageJob
    top: Ancestor | None
    error: str | None


def read_run_event(value: Any) -> RunEvent | None:
    """The run event; None for what tells of a dataset or of a job alone. Raises Problem (422) naming the member that is wrong."""
    if isinstance(value, dict) and "run" not in value and ("dataset" in value or "job" in value):
        return None
    event = converted(value, _Event)
    try:
        at = datetime.fromisoformat(to_datetime_text(event.eventTime))
    except ValueRejected as fault:
        raise member_refused("eventTime", str(fault)) from None
    facets = event.run.facets or Facets()
    error = None if facets.errorMessage is None else facets.errorMessage.message
    return RunEvent(value, at, event.eventType or Transition.OTHER, event.run.runId, event.job, _top(event.run.runId, facets.parent), error)


def _top(run: str, parent: Parent | None) -> Ancestor | None:
    if parent is None:
        return None
    top = parent.root or parent
    # Some senders name a run as its own parent or root: then it has none.
    return None if top.run.runId == run else top
