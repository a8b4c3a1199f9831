"""One text for the sync and the async form of a producer: written as coroutines, which in the sync form never wait.

`Now` calls at once, `InLoop` awaits; `at_once` runs a coroutine that was given `Now`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Protocol, TypeVar

from producers.runs.awaited import Awaited, aside

T = TypeVar("T")


class Calling(Protocol):
    """How a producer calls what may wait."""

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """What the user's function returns, or what it returns returns when awaited."""

    async def aside(self, function: Callable[..., T], *args: Any) -> T:
        """What a function of ours returns that may wait for Redis or the disk. In a loop: finished also when the caller is cancelled."""

    def block(self, block: Awaited) -> AbstractAsyncContextManager[Any]:
        """A job or client run, for an `async with`."""


class Now:
    """In the caller's thread. Raises TypeError for what is to be awaited."""

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        result = function(*args)
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            raise TypeError(f"{_name(function)} is to be awaited: use the async form")
        return result

    async def aside(self, function: Callable[..., T], *args: Any) -> T:
        return function(*args)

    def block(self, block: Awaited) -> AbstractAsyncContextManager[Any]:
        return _Entered(block)


class InLoop:
    """In the running event loop; what is no coroutine function is called in a thread, so that it does not hold up the loop."""

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004
            return await function(*args)
        import asyncio

        result = await asyncio.to_thread(function, *args)
        return await result if inspect.isawaitable(result) else result

    async def aside(self, function: Callable[..., T], *args: Any) -> T:
        return await aside(function, *args)

    def block(self, block: Awaited) -> AbstractAsyncContextManager[Any]:
        return block


class _Entered(AbstractAsyncContextManager[Any]):
    def __init__(self, block: Awaited) -> None:
        self._block = block

    async def __aenter__(self) -> Any:
        return self._block.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._block.__exit__(kind, error, trace)


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that never waits. Needs no event loop, and may be called inside of one."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise TypeError("this waits for something: use the async form")


def _name(function: object) -> str:
    return getattr(function, "__qualname__", None) or repr(function)
