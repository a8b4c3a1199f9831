"""Batch scorer: many clients, chunk by chunk, counted as it goes; a run that stopped goes on where it was.

from producers import batch_scorer

scorer = batch_scorer.BatchScorer(leads_of=read_leads, score_lead=score, chunk_size=50)
result = scorer.run(["client-a", "client-b"])
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from contract import run_id as run_ids
from contract.errors import LockLost, RunIdInvalid, TooManyErrors
from producers import service
from producers.default import publisher
from producers.runs import ClientRun, Job
from producers.runs.current import working_on
from producers.scoring.calling import Calling, InLoop, Now, at_once
from producers.scoring.chunks import Chunks, lead_key
from producers.scoring.marks import Marks
from producers.scoring.progress_bar import Bar, progress_bar
from producers.scoring.tally import LEADS, POSTS, Names, Skip, Tally

__all__ = ["LEADS", "POSTS", "BatchResult", "BatchScorer", "Skip", "Tally"]


@dataclass
class BatchResult:
    """What a run came to. `clients`: what this attempt counted. `failed`: what ended a client's work; the others went on.
    `finished_before`: clients that an earlier attempt had finished."""

    run_id: str
    clients: dict[str, Tally] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    finished_before: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class BatchScorer:
    """How a batch is scored. Give `score_lead` or `score_chunk`.

    `leads_of`: client ID -> its leads; a function or a mapping. The leads may come one by one, from a generator.
    `score_lead(lead, tally)`: what it returns is the score (None or False: none was given). A Skip is counted by its reason, another
    exception as an error of this lead, and the next lead goes on.
    `score_chunk(leads, tally)`: tells by `tally.scored(…)`, `skip`, `error` what came of them. A Skip counts for all leads that are not
    accounted for; another exception ends the client's work, and nothing of this chunk is counted.
    `key`: what makes a lead the same lead when the run is continued: its `id`, or the lead itself if it is a text or number.
    `names`: LEADS or POSTS, the metrics counted in. `exclusive`: as in `producers.job`. `most_errors`: a client with more is given up as
    Failed. `progress`: draw a bar where rich is installed and stderr is a terminal.

    In `run_async` all functions may be coroutine functions, and the leads an async iterable; plain functions are called in a thread.
    """

    leads_of: Callable[[str], Any] | Mapping[str, Any]
    score_lead: Callable[[Any, Tally], Any] | None = None
    score_chunk: Callable[[list[Any], Tally], Any] | None = None
    chunk_size: int = 50
    key: Callable[[Any], object] = lead_key
    names: Names = LEADS
    job_type: str = "batch_scoring"
    stream: int | None = None
    exclusive: bool = False
    most_errors: int | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        if (self.score_lead is None) == (self.score_chunk is None):
            raise TypeError("give score_lead or score_chunk, one of them")
        if self.chunk_size < 1:
            raise ValueError(f"a chunk holds at least one lead, not {self.chunk_size}")

    def run(self, clients: Iterable[str] | Mapping[str, str], *, run_id: str | None = None) -> BatchResult:
        """Score the leads of these clients: IDs, or ID -> name. One client's failure is in the result and in its run; the others go on.

        With `run_id` a run goes on: clients and leads that are finished are not scored again, and a chunk whose counts were emitted twice
        counts once. Raises RunIdInvalid, and before anything is told: StoreUnavailable when Redis cannot be asked what is finished,
        RunNotContinued when the run stopped too long ago (half of `id_memory_s`, a day), AlreadyRunning if exclusive. LockLost when an
        exclusive run was overtaken. TypeError for what would have to be awaited.
        """
        for function in (self.leads_of, self.score_lead, self.score_chunk):
            if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
                raise TypeError(f"{function.__name__} is to be awaited: use run_async")
        return at_once(_Batch(self, Now()).run(clients, run_id))

    async def run_async(self, clients: Iterable[str] | Mapping[str, str], *, run_id: str | None = None) -> BatchResult:
        """`run` in an event loop, which it never holds up. Cancelled, job and client are Failed with a note; the run can be continued."""
        return await _Batch(self, InLoop()).run(clients, run_id)


class _Batch:
    """One attempt at a run."""

    def __init__(self, scorer: BatchScorer, calling: Calling) -> None:
        self._scorer = scorer
        self._calling = calling
        self._marks: Marks
        self._job: Job
        self._result: BatchResult
        self._bar: Bar

    async def run(self, clients: Iterable[str] | Mapping[str, str], run_id: str | None) -> BatchResult:
        if isinstance(clients, str):
            raise TypeError(f"clients are several IDs, not one text: [{clients!r}]")
        names = dict(clients) if isinstance(clients, Mapping) else dict.fromkeys(clients)
        scorer, calling = self._scorer, self._calling
        if run_id is not None and run_ids.require(run_id).client is not None:
            raise RunIdInvalid(f"a batch is a job: its run ID names no client, as {run_id} does")
        self._job = job = service.job(scorer.job_type, stream=scorer.stream, run_id=run_id, exclusive=scorer.exclusive)
        own = await calling.aside(publisher)
        self._marks = marks = Marks(own, await calling.aside(lambda: job.run_id))
        self._result = BatchResult(job.run_id)
        try:
            if run_id is not None:
                await calling.aside(marks.load)
            async with calling.block(job):
                if run_id is not None and scorer.exclusive:
                    # Another may have finished more until the lock was ours.
                    await calling.aside(marks.load)
                with progress_bar(scorer.job_type, job.run_id, len(names), shown=scorer.progress) as self._bar:
                    for client, name in names.items():
                        await self._client(client, name)
        finally:
            await calling.aside(marks.close)
        return self._result

    async def _client(self, client: str, name: str | None) -> None:
        result = self._result
        if self._marks.is_finished(client):
            result.finished_before.append(client)
            self._bar.client(client, "finished before")
            return
        self._check_lock()
        total = result.clients[client] = Tally(self._scorer.names)
        try:
            run = self._job.client(client, name)
            async with self._calling.block(run):
                with working_on(self._job, run):
                    complete = await self._leads(run, client, total)
        except RunIdInvalid as error:
            result.failed[client] = error
            self._job.note(f"client not scored: {error}")
        except Exception as error:  # noqa: BLE001  # whatever the user's functions raise ends this client's work, not the others'
            self._check_lock()
            result.failed[client] = error
        else:
            if complete:
                self._marks.finish_client(client)
        self._bar.client(client, "failed" if client in result.failed else "done")
        await self._calling.aside(self._marks.save)

    async def _leads(self, run: ClientRun, client: str, total: Tally) -> bool:
        """Score a client's leads; whether all counts were taken by the publisher."""
        scorer, marks, complete = self._scorer, self._marks, True
        leads_of = scorer.leads_of
        leads = leads_of[client] if isinstance(leads_of, Mapping) else await self._calling.call(leads_of, client)
        finished, intents = marks.finished_leads(client), marks.intents(client)
        chunks = Chunks(self._calling, leads, scorer.chunk_size, scorer.key, finished, intents)
        while (chunk := await chunks.next()) is not None:
            self._check_lock()
            name = chunk.name or marks.chunk(client, chunk.digests)
            tally = await self._score(chunk.leads)
            total.add(tally)
            tell = partial(run.tell_through, tally.told(), id=f"chunk:{self._result.run_id}:{name}")
            complete &= await self._calling.aside(marks.count, client, name, chunk.digests, tell)
            self._bar.chunk(client, len(chunk.leads))
            self._check_errors(total)
        return complete

    async def _score(self, leads: list[Any]) -> Tally:
        scorer, tally = self._scorer, Tally(self._scorer.names)
        if scorer.score_lead is not None:
            for lead in leads:
                tally.add(await self._lead(scorer.score_lead, lead))
        elif scorer.score_chunk is not None:
            # What an earlier attempt cut off may be more than the model is to get at once by now.
            for begin in range(0, len(leads), scorer.chunk_size):
                tally.add(await self._chunk(scorer.score_chunk, leads[begin : begin + scorer.chunk_size]))
        return tally

    async def _chunk(self, score: Callable[[list[Any], Tally], Any], leads: list[Any]) -> Tally:
        tally = Tally(self._scorer.names, len(leads))
        try:
            await self._calling.call(score, leads, tally)
        except Skip as skip:
            tally.fail(skip)
        return tally

    async def _lead(self, score: Callable[[Any, Tally], Any], lead: Any) -> Tally:
        tally = Tally(self._scorer.names, 1)
        try:
            tally.judge(await self._calling.call(score, lead, tally))
        except Exception as error:  # noqa: BLE001  # the user's function may raise anything: it is this lead's error alone
            tally.fail(error)
        return tally

    def _check_lock(self) -> None:
        lock = self._job.lock
        if lock is not None and not lock.still_mine():
            raise LockLost(f"run {self._job.run_id} was overtaken: another may work on it, so it stops here")

    def _check_errors(self, total: Tally) -> None:
        most = self._scorer.most_errors
        if most is not None and (errors := total.metrics.get("errors", 0)) > most:
            raise TooManyErrors(f"given up after {errors} errors, of which {most} were allowed")
