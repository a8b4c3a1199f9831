"""A piece of scoring as a block or a decorator: what it came to is told when it ends, also when it raises.

Without a run ID it is a run of its own: a job with one client run. With one it only adds to that client's run, which neither begins nor
ends here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from contextvars import ContextVar
from functools import wraps
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar, cast

from contract import run_id as run_ids
from contract.errors import NoCurrentRun, RunIdInvalid
from producers import service
from producers.default import publisher
from producers.runs import ClientRun, Job, was_cancelled
from producers.runs.current import working_on
from producers.runs.work import Plan
from producers.scoring.calling import Calling, InLoop, Now, at_once
from producers.scoring.tally import Skip

F = TypeVar("F", bound=Callable[..., Any])
_current: ContextVar[Any] = ContextVar("runtally_piece", default=None)


class Piece(Protocol):
    """What gathers the counts of a block."""

    def judge(self, score: object) -> None:
        """The work was done as a decorated function, which returned this."""

    def fail(self, error: BaseException) -> None:
        """The work raised."""

    def told(self) -> Mapping[str, Any]:
        """What is to be told at the end; nothing if it is empty."""


P = TypeVar("P", bound=Piece)


class Block(Generic[P]):
    """`with`, `async with` or a decorator of plain and coroutine functions; the block's value is the piece, where counts go.

    An exception is counted as an error and passed on; in a run of its own it makes the run Failed. A Skip is counted by its reason and goes
    no further: the block ends, and a decorated function returns None. A block is entered once; a decorated function as often as one
    likes, also at the same time. Entering makes and reserves a run ID where none is given (asks Redis, 2 s at most; in a thread in an
    `async with`). Raises RunIdInvalid, RunIdConflict. A process that is killed has told nothing of the block.
    """

    def __init__(self, plan: Plan, make: Callable[[ClientRun], P]) -> None:
        """`make`: a new piece for a client run. Raises TypeError where there is no client."""
        if plan.client is None and not (callable(plan.run_id) or run_ids.parse(plan.run_id).client):
            raise TypeError("counts belong to a client: give client_id=…, or a run_id with the client")
        self._plan = plan
        self._make = make
        self._args: tuple[tuple[Any, ...], Mapping[str, Any]] = ((), {})
        self._open = AsyncExitStack()
        self._joins = False

    def __enter__(self) -> P:
        return at_once(self._enter(Now()))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        return at_once(self._exit(error))

    async def __aenter__(self) -> P:
        return await self._enter(InLoop())

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        return await self._exit(error)

    def __call__(self, function: F) -> F:
        """The function, each call of it a block. Where it works on one lead or post, what it returns is the score: None, False: none."""
        import inspect

        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{function.__name__} is a generator: its call does no work yet. Decorate the function that uses it up")
        wrapper = self._awaited if inspect.iscoroutinefunction(function) else self._called
        return cast(F, wraps(function)(wrapper(function)))

    def _called(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._of(args, kwargs) as piece:
                result = function(*args, **kwargs)
                piece.judge(result)
                return result
            return None

        return call

    def _awaited(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            async with self._of(args, kwargs) as piece:
                result = await function(*args, **kwargs)
                piece.judge(result)
                return result
            return None

        return call

    def _of(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Block[P]:
        block = Block(self._plan, self._make)
        block._args = (args, kwargs)
        return block

    async def _enter(self, calling: Calling) -> P:
        terms = self._plan.terms(*self._args)
        async with AsyncExitStack() as stack:
            if terms.run_id is None:
                job = service.job(terms.job_type, stream=terms.stream)
                await stack.enter_async_context(calling.block(job))
                run = job.client(terms.client or "")
                await stack.enter_async_context(calling.block(run))
            else:
                self._joins = True
                job, run = await calling.aside(_joined, terms.run_id, terms.client)
                await stack.enter_async_context(calling.block(run))
            self._run, self._piece = run, self._make(run)
            stack.enter_context(working_on(job, run))
            self._token = _current.set(self._piece)
            self._open = stack.pop_all()
        return self._piece

    async def _exit(self, error: BaseException | None) -> bool:
        _current.reset(self._token)
        if error is not None:
            self._piece.fail(error)
        said = self._piece.told()
        if said:
            self._run.tell(dict(said))
        skipped = isinstance(error, Skip)
        passed = None if skipped else error
        if passed is not None and not self._joins and not was_cancelled(passed):
            self._run.complete(success=False)  # what happened stands in the error details already
        await self._open.__aexit__(None if passed is None else type(passed), passed, None if passed is None else passed.__traceback__)
        return skipped


class _Joined(ClientRun):
    """Somebody else's client run: entering and leaving tell nothing."""

    def __enter__(self) -> _Joined:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        pass


def _joined(run_id: str, client_id: str | None) -> tuple[Job, ClientRun]:
    own = publisher()
    run = _Joined(own, own.subject(run_id, client_id), None)
    named = run_ids.require(run.run_id)
    if named.client is None:
        raise RunIdInvalid(f"counts belong to a client: {run_id} names none, and no client_id is given")
    return Job(own, named.base, None, None, None), run


def current_piece(kind: type[P]) -> P:
    """The piece of the block that is at work here, if it is of this kind. Raises NoCurrentRun."""
    piece = _current.get()
    if not isinstance(piece, kind):
        raise NoCurrentRun("no block of this scorer is at work here")
    return piece
