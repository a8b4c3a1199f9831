"""Any function as a run: `@producers.tracked` tells the start, the end and what was counted of each of its calls."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, overload

from contract.errors import AlreadyRunning
from producers.default import publisher
from producers.exclusive import Exclusive
from producers.exclusive import exclusive as lock_for
from producers.run_ids import take_run_id
from producers.work import Metrics, Plan, Work

if TYPE_CHECKING:
    from producers.exclusive import IfUnavailable

F = TypeVar("F", bound=Callable[..., Any])


@overload
def tracked(function: F, /) -> F: ...


@overload
def tracked(
    job_type: str | None = None,
    /,
    *,
    client: str | Callable[..., str | None] | None = None,
    stream: int | Callable[..., int | None] | None = None,
    metrics: Metrics | None = None,
    exclusive: bool = False,
    skip_if_running: bool = False,
    if_unavailable: IfUnavailable = "refuse",
) -> Callable[[F], F]: ...


def tracked(
    job_type: Any = None,
    /,
    *,
    client: Any = None,
    stream: Any = None,
    metrics: Metrics | None = None,
    exclusive: bool = False,
    skip_if_running: bool = False,
    if_unavailable: IfUnavailable = "refuse",
) -> Any:
    """Each call of the function, plain or `async def`, is a job of its own: Completed, or Failed with the exception's text.

    What the function returns and raises is passed on as it is. `job_type`: the function's name if left out. `client` (then the work is
    that client's run in the job) and `stream`: a value, or a function of the call's arguments. `metrics`: a function of what was returned,
    such as `lambda deleted: {"leads_processed": deleted}`; inside, `producers.current_run()` counts too.

    `exclusive`: a call while another works for the same client (else stream, else job type), on any machine, raises AlreadyRunning, or
    with `skip_if_running` logs a line and returns None. When Redis cannot be asked: StoreUnavailable, unless `if_unavailable="proceed"`.

    Raises TypeError for metrics without a client and for generators: call one in a function that is tracked.
    """
    if callable(job_type):
        return tracked()(job_type)
    plan = Plan(job_type, None, client, stream, metrics)

    def decorate(function: F) -> F:
        entry = _Entry(plan, job_type or function.__name__, exclusive or skip_if_running, skip_if_running, if_unavailable)
        return _wrapped(function, entry)

    return decorate


class _Entry:
    """How a call gets in: its run ID, and its lock."""

    def __init__(self, plan: Plan, name: str, locks: bool, skips: bool, if_unavailable: IfUnavailable) -> None:
        self.metrics = plan.metrics
        self._plan = plan
        self._name = name
        self._locks = locks
        self._skips = skips
        self._if_unavailable = if_unavailable

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Work, Exclusive | None] | None:
        """The work, not begun, and its lock, taken. None: it is to be skipped. May wait for Redis, a few seconds at most."""
        own = publisher()
        terms = self._plan.terms(args, kwargs)._replace(job_type=self._name)
        taken = take_run_id(own.settings)
        work = terms.work(own, taken.run_id, taken.origin)
        if not self._locks:
            return work, None
        # A lock is for a client or for a stream: the client's is the narrower one.
        stream = terms.stream if terms.client is None else None
        lock = lock_for(self._name, stream=stream, client=terms.client, run_id=taken.run_id, if_unavailable=self._if_unavailable)
        try:
            lock.__enter__()
        except AlreadyRunning as refused:
            if not self._skips:
                raise
            _log_skip(refused, self._name)
            return None
        return work, lock


def _log_skip(refused: AlreadyRunning, name: str) -> None:
    import structlog

    structlog.get_logger("runtally.tracked").info("skipped", reason=str(refused), operation=name, holder=refused.run_id)


def _wrapped(function: F, entry: _Entry) -> F:
    import inspect

    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function.__name__} is a generator: its call does no work yet. Track the function that uses it up")
    wrapper = _awaited if inspect.iscoroutinefunction(function) else _called
    return wraps(function)(wrapper(function, entry))  # type: ignore[return-value]  # as callable as what it wraps


def _called(function: Callable[..., Any], entry: _Entry) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        begun = entry.begin(args, kwargs)
        if begun is None:
            return None
        work, lock = begun
        try:
            with work:
                result = function(*args, **kwargs)
                work.count(entry.metrics, result)
                return result
        finally:
            if lock is not None:
                lock.__exit__(None, None, None)

    return call


def _awaited(function: Callable[..., Any], entry: _Entry) -> Callable[..., Any]:
    import asyncio

    async def call(*args: Any, **kwargs: Any) -> Any:
        begun = await _begun(entry, args, kwargs)
        if begun is None:
            return None
        work, lock = begun
        try:
            with work:
                result = await function(*args, **kwargs)
                work.count(entry.metrics, result)
                return result
        finally:
            if lock is not None:
                await asyncio.shield(asyncio.to_thread(lock.__exit__, None, None, None))

    return call


async def _begun(entry: _Entry, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Work, Exclusive | None] | None:
    """`begin` without holding up the loop. Cancelled meanwhile, what it has taken is given back as soon as it is known."""
    import asyncio

    beginning = asyncio.ensure_future(asyncio.to_thread(entry.begin, args, kwargs))
    try:
        return await asyncio.shield(beginning)
    except asyncio.CancelledError:
        with suppress(Exception):
            begun = await beginning
            if begun is not None and begun[1] is not None:
                await asyncio.to_thread(begun[1].__exit__, None, None, None)
        raise
