"""Any function as a run: `@producers.tracked` tells the start, the end and what was counted of each of its calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from contract.errors import AlreadyRunning
from producers.default import publisher
from producers.exclusive import Exclusive
from producers.exclusive import exclusive as lock_for
from producers.runs.awaited import Awaited
from producers.runs.run_ids import take_run_id
from producers.runs.work import Metrics, Plan, Terms, Work

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
    """How calls of one function are let in."""

    def __init__(self, plan: Plan, name: str, locks: bool, skips: bool, if_unavailable: IfUnavailable) -> None:
        self.plan = plan
        self.name = name
        self.locks = locks
        self.skips = skips
        self.if_unavailable = if_unavailable

    def admit(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Admission:
        """One call's, to be entered. Raises what the functions of the arguments raise, RunIdInvalid and LockInvalid."""
        return _Admission(self, self.plan.terms(args, kwargs)._replace(job_type=self.name))


class _Admission(Awaited):
    """Entering makes a run ID and takes the lock, for a few seconds at most; leaving gives the lock back."""

    def __init__(self, entry: _Entry, terms: Terms) -> None:
        super().__init__()
        self.work: Work | None = None
        """What is to be entered next; None while another works: the call is to be skipped."""
        self._entry = entry
        self._terms = terms
        self._lock: Exclusive | None = None

    @property
    def _durable(self) -> bool:
        return False

    @property
    def _waits(self) -> bool:
        return self.work is None or self._lock is not None

    def __enter__(self) -> _Admission:
        own = publisher()
        taken = take_run_id(own.settings)
        work = self._terms.work(own, taken.run_id, taken.origin)
        if not self._entry.locks or self._take_lock(taken.run_id):
            self.work = work
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._lock is not None:
            self._lock.__exit__(kind, error, trace)

    def _take_lock(self, run_id: str) -> bool:
        entry, terms = self._entry, self._terms
        # A lock is for a client or for a stream: the client's is the narrower one.
        stream = terms.stream if terms.client is None else None
        lock = lock_for(entry.name, stream=stream, client=terms.client, run_id=run_id, if_unavailable=entry.if_unavailable)
        try:
            self._lock = lock.__enter__()
        except AlreadyRunning as refused:
            if not entry.skips:
                raise
            import structlog

            structlog.get_logger("runtally.tracked").info("skipped", reason=str(refused), operation=entry.name, holder=refused.run_id)
            return False
        return True


def _wrapped(function: F, entry: _Entry) -> F:
    import inspect

    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function.__name__} is a generator: its call does no work yet. Track the function that uses it up")
    wrapper = _awaited if inspect.iscoroutinefunction(function) else _called
    return wraps(function)(wrapper(function, entry))  # type: ignore[return-value]  # as callable as what it wraps


def _called(function: Callable[..., Any], entry: _Entry) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with entry.admit(args, kwargs) as admission:
            if admission.work is None:
                return None
            with admission.work as work:
                result = function(*args, **kwargs)
                work.count(entry.plan.metrics, result)
                return result

    return call


def _awaited(function: Callable[..., Any], entry: _Entry) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        async with entry.admit(args, kwargs) as admission:
            if admission.work is None:
                return None
            async with admission.work as work:
                result = await function(*args, **kwargs)
                work.count(entry.plan.metrics, result)
                return result

    return call
