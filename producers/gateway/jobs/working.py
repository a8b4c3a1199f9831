"""Jobs whose work is a function of the gateway's own (`@on_job`): done beside the requests, completed by themselves."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

from contract.errors import RuntallyError
from producers.publisher import Publisher
from producers.runs import Job
from producers.runs.work import Work

if TYPE_CHECKING:
    from contract.settings import Settings
    from producers.gateway.handlers import JobHandler
    from producers.gateway.jobs.asked import StartJob
    from producers.gateway.jobs.keeping import LockKeeper

_CLOSE_S = 2.0
_STOPPED = "the gateway was stopped before the job was done"
_log: Any = structlog.get_logger("runtally.gateway.jobs")


class JobWork:
    """One for each event loop. A gateway that is killed leaves its jobs to the sweeper, and their locks to their end."""

    def __init__(self, locks: LockKeeper, settings: Settings) -> None:
        """Connects to nothing yet."""
        self._locks = locks
        self._settings = settings
        self._publisher: Publisher | None = None
        self._open: dict[asyncio.Task[None], Work] = {}

    def begin(self, handler: JobHandler, run: str, asked: StartJob) -> None:
        """Call the handler for a job whose start is in the log. Returns at once."""
        if self._publisher is None:
            self._publisher = Publisher(self._settings)
        job = Job(self._publisher, run, asked.job_type.strip(), asked.stream, None)
        work = Work(job, None if asked.client_id is None else job.client(asked.client_id, asked.client_name))
        task = asyncio.get_running_loop().create_task(self._do(handler, work, dict(asked.parameters)))
        self._open[task] = work
        task.add_done_callback(lambda done: self._open.pop(done, None))

    async def close(self) -> None:
        """Give what is at work a moment; what is not done then is told as Failed. A thread cannot be ended: it goes with the process."""
        if self._open:
            await asyncio.wait(self._open, timeout=_CLOSE_S)
        for task, work in list(self._open.items()):
            work.fail(_STOPPED)
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._publisher is not None:
            await asyncio.to_thread(self._publisher.close)

    async def _do(self, handler: JobHandler, work: Work, parameters: dict[str, Any]) -> None:
        keeping = asyncio.create_task(self._keep(work))
        try:
            if inspect.iscoroutinefunction(handler):
                async with work:
                    await handler(work.job, parameters)
            else:
                await _in_thread(lambda: _call(handler, work, parameters))
        except Exception as error:  # noqa: BLE001  # the user's code may raise anything; the job has told it
            _log.warning("a job's function failed", run_id=work.job.run_id, handler=handler.__module__, exc_info=error)
        finally:
            keeping.cancel()
            await self._end(work.job.run_id)

    async def _keep(self, work: Work) -> None:
        """Renew the job's lock while it is at work. Returns when it is lost: the work goes on, and its notes say so."""
        while True:
            await asyncio.sleep(self._locks.pause_s)
            with suppress(RuntallyError):
                if await self._locks.renew(work.job.run_id) is False:
                    _log.error("lock lost", run_id=work.job.run_id, reason="it is gone, or another's")
                    work.job.note("the job's lock was lost while it was at work: another may have started it too")
                    return

    async def _end(self, run: str) -> None:
        """Once the log has the end, give the lock back."""
        assert self._publisher is not None
        await asyncio.to_thread(self._publisher.flush)
        with suppress(RuntallyError):
            await self._locks.end(run)


def _call(handler: JobHandler, work: Work, parameters: dict[str, Any]) -> None:
    with work:
        handler(work.job, parameters)


async def _in_thread(call: Callable[[], None]) -> None:
    """Run it in a thread of its own, which does not hold up the end of the process. Raises what it raises."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if not done.done():
            done.set_result(None) if error is None else done.set_exception(error)

    def body() -> None:
        error: BaseException | None = None
        try:
            contextvars.Context().run(call)
        except BaseException as raised:  # noqa: BLE001  # it goes to whoever waits
            error = raised
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=body, name="runtally-job", daemon=True).start()
    await done
