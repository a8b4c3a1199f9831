"""What the routes of one application share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import structlog
from starlette.requests import Request

from contract.errors import LayoutMismatch, RuntallyError, StoreRefused, StoreUnavailable
from producers.gateway.access.caller import Caller
from producers.gateway.access.guard import Guard
from producers.gateway.body import BodyReader
from producers.gateway.counting import Counting
from producers.gateway.entry import Entry, Outdated
from producers.gateway.intake import INTAKE_FULL, Intake
from producers.gateway.jobs.keeping import LockKeeper
from producers.gateway.jobs.working import JobWork
from producers.gateway.log_writer import LOG_FULL
from producers.gateway.named_runs import NamedRuns
from producers.gateway.problem import Problem
from producers.gateway.store import Store
from producers.gateway.webhooks.hooks import Webhooks

if TYPE_CHECKING:
    from contract.settings import Settings
    from producers.gateway.jobs.reading import JobReader
    from producers.gateway.lineage.mapping import LineageMapping

_log: Any = structlog.get_logger("runtally.gateway")


class Gateway:
    """Made when the application starts serving. `counters`: what happened since, by name; added up with those of other gateways."""

    def __init__(self, settings: Settings, jobs: JobReader, lineage: LineageMapping) -> None:
        """Connects to nothing yet."""
        self.settings = settings
        self.jobs = jobs
        self.counters: Counter[str] = Counter()
        self.store = Store(settings)
        self.counting = Counting(self.store, self.counters)
        self.named_runs = NamedRuns(self.store, settings)
        self.intake = Intake(settings)
        self.locks = LockKeeper(self.store, settings)
        self.job_work = JobWork(self.locks, settings)
        self.lineage = lineage
        self.bodies = BodyReader(settings.gateway_body_bytes)
        self.guard = Guard(self.store, settings.gateway_requests_per_s)
        self.webhooks = Webhooks(self.store, settings)

    def start(self) -> None:
        """Begin to take events. To be called in the event loop."""
        self.intake.start()
        self.counting.start()

    async def close(self) -> None:
        """Append what waits, then end."""
        await self.webhooks.close()
        await self.intake.close()
        await self.job_work.close()
        await self.locks.close()
        await self.counting.close()
        await self.store.close()

    async def caller(self, request: Request) -> Caller:
        """Who sent it, by its bearer token. Raises Problem."""
        return await self.guard.caller(request.headers.get("authorization"))

    async def put(self, entries: Sequence[Entry]) -> Outdated:
        """Return once the log has them; those that were left out, for their totals. Raises Problem (503): some may be there; to send
        all again is safe."""
        try:
            outdated = await self.intake.append(entries)
        except RuntallyError as error:
            raise unavailable(error) from error
        self.counters["events_taken"] += sum([entry.events for entry in entries]) - len(outdated)
        self.locks.seen([entry.run for entry in entries])
        return outdated


def gateway_of(request: Request) -> Gateway:
    """The gateway that a request came to."""
    return cast(Gateway, request.app.state.gateway)


def unavailable(error: RuntallyError) -> Problem:
    """What is answered while Redis or the log cannot do its part. Nothing of Redis' own words goes outside."""
    if isinstance(error, StoreRefused) and error.code in (LOG_FULL, "OOM"):
        return Problem(503, "log-full", "the log is full, because workers lag: send it again later", retry_after_s=5)
    if isinstance(error, StoreRefused) and error.code == INTAKE_FULL:
        return Problem(503, "overloaded", "too much is being sent at a time: send it again later", retry_after_s=1)
    _log.warning("the log cannot be reached", error=str(error))
    if isinstance(error, StoreUnavailable | LayoutMismatch) or (isinstance(error, StoreRefused) and error.passing):
        return Problem(503, "store-away", "the log cannot be reached now: send it again later", retry_after_s=2)
    return Problem(503, "store-refused", "the log refused it: the log of the gateway says why", retry_after_s=30)
