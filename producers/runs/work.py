"""A piece of background work as a run: a job of its own, with one client's run in it where there is a client.

With the run ID of a job and a client, it is that client's part of somebody else's job: the job's start and end are not told here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from contract import run_id as run_ids
from producers.runs import heartbeat
from producers.runs.current import working_on
from producers.runs.job import ClientRun, Job, told

if TYPE_CHECKING:
    from producers.publisher import Publisher

Metrics = Callable[[Any], Mapping[str, Any] | None]
"""What a result tells: the client run's observations, by name."""


class Terms(NamedTuple):
    """What one piece of work is told as."""

    job_type: str | None = None
    run_id: str | None = None
    client: str | None = None
    stream: int | None = None

    @property
    def joins(self) -> bool:
        """Whether it is a client's part of somebody else's job."""
        return self.run_id is not None and self.client is not None

    def work(self, publisher: Publisher, run_id: str, origin: str | None = None) -> Work:
        """The work, not begun. `origin`: who made the run ID, if it is new. Raises RunIdInvalid, RunIdConflict."""
        # The run ID of this very client's run is as good as its job's.
        base = run_id if self.client is None else run_ids.require(run_ids.with_client(run_id, self.client)).base
        job = Job(publisher, base, self.job_type, self.stream, origin)
        return Work(job, None if self.client is None else job.client(self.client), joins=self.joins)


@dataclass(frozen=True)
class Plan:
    """What pieces of work are told as: `Terms`, each a value or a function of the work's own arguments that returns it.

    Raises TypeError for metrics without a client: a job's metrics are the totals of its clients.
    """

    job_type: Any = None
    run_id: Any = None
    client: Any = None
    stream: Any = None
    metrics: Metrics | None = None

    def __post_init__(self) -> None:
        if self.metrics is not None and self.client is None:
            raise TypeError("metrics need a client, since a job's metrics are the totals of its clients: give client=… too")

    def terms(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Terms:
        """The terms of one call. Raises what the functions raise."""
        asked = (self.job_type, self.run_id, self.client, self.stream)
        return Terms(*(value(*args, **kwargs) if callable(value) else value for value in asked))


class Work:
    """Entering tells the start, leaving the end, with an exception's text as note. Meanwhile there are heartbeats, and it is current."""

    def __init__(self, job: Job, run: ClientRun | None = None, *, joins: bool = False) -> None:
        self.job = job
        self.run = run
        self.joins = joins
        self._parts = [part for part in (None if joins else job, run) if part is not None]
        self._open = ExitStack()
        self._awaited = AsyncExitStack()
        self._here = working_on(job, run)

    @property
    def run_id(self) -> str:
        """The client run's ID, or the job's where there is no client."""
        return self.job.run_id if self.run is None else self.run.run_id

    def __enter__(self) -> Work:
        for part in self._parts:
            self._open.enter_context(part)
        self._here.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._here.__exit__(None, None, None)
        self._open.__exit__(kind, error, trace)

    async def __aenter__(self) -> Work:
        async with AsyncExitStack() as entered:
            for part in self._parts:
                await entered.enter_async_context(part)
            self._awaited = entered.pop_all()
        self._here.__enter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._here.__exit__(None, None, None)
        await self._awaited.__aexit__(kind, error, trace)

    def suspend(self) -> None:
        """Leave without telling an end: it goes on elsewhere, or the sweeper closes it."""
        self._here.__exit__(None, None, None)
        self._open.pop_all()
        for part in self._parts:
            heartbeat.end(part)

    def note(self, text: str) -> None:
        """Add a line to the system notes: the client run's, or the job's where there is no client."""
        (self.job if self.run is None else self.run).note(text)

    def fail(self, reason: str) -> None:
        """Tell that it has failed; leaving it then tells nothing more. Also for work begun elsewhere, which cannot end itself."""
        if self.run is not None:
            self.run.complete(success=False, error=reason)
        if not self.joins:
            self.job.complete(success=False, note=reason)

    def count(self, metrics: Metrics | None, result: Any) -> None:
        """Observe what `metrics` finds in a result. Its failure is noted and logged, not raised: the work is done."""
        if metrics is None or self.run is None:
            return
        try:
            found = metrics(result)
            if found:
                self.run.count(found)
        except Exception as error:  # noqa: BLE001  # the user's function may raise anything
            import structlog

            reason = f"the metrics of the result cannot be told: {told(error)}"
            structlog.get_logger("runtally.work").error(reason, run_id=self.run_id)
            self.note(reason)
