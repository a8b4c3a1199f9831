"""`async with` for blocks whose entering and leaving may wait: for Redis, a lock, the disk. They wait in a thread, the loop goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from producers import exits

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")


class Awaited:
    """Adds `async with` to a block with `__enter__` and `__exit__`, which may then run in another thread.

    Cancelled while it enters: what entering has taken is given back as soon as it is known, and nobody waits for that. Cancelled while it
    leaves: leaving goes on. Where every event is to be durable, what is told within the block is written by a thread of its own, in
    order, and all of it is on disk when the block has been left.
    """

    def __init__(self) -> None:
        self._writer: ThreadPoolExecutor | None = None

    if TYPE_CHECKING:

        def __enter__(self) -> Any: ...

        def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    @property
    def _durable(self) -> bool:
        """Whether every event waits for the disk. Known once the block is entered."""
        raise NotImplementedError

    @property
    def _waits(self) -> bool:
        """Whether entering or leaving may wait."""
        return self._durable

    def _told(self, put: Callable[..., bool], *args: object) -> bool:
        """Call `put` in the writer's turn; now if there is no writer."""
        writer = self._writer
        if writer is None:
            return put(*args)
        try:
            writer.submit(put, *args)
        except RuntimeError:  # left meanwhile (a heartbeat), or the interpreter is shutting down
            return put(*args)
        return True

    def _told_through(self, put: Callable[..., bool], *args: object) -> bool:
        """Call `put` in the writer's turn and wait for its answer; now if there is no writer."""
        writer = self._writer
        if writer is None:
            return put(*args)
        try:
            turn = writer.submit(put, *args)
        except RuntimeError:  # as above
            return put(*args)
        return turn.result()

    async def __aenter__(self) -> Self:
        exits.arm_sigterm()
        if self._waits:
            await _entered(self)
        else:
            self.__enter__()
        if self._durable:
            from concurrent.futures import ThreadPoolExecutor

            self._writer = ThreadPoolExecutor(1, "runtally-durable")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._waits:
            await aside(self._leave, error)
        else:
            self.__exit__(kind, error, trace)

    def _leave(self, error: BaseException | None) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.shutdown()
        self.__exit__(None if error is None else type(error), error, None if error is None else error.__traceback__)


async def aside(function: Callable[..., T], *args: object) -> T:
    """What it returns, called in a thread. It is called, and finished, also when the caller is cancelled meanwhile."""
    import asyncio

    return await asyncio.shield(asyncio.to_thread(function, *args))


async def _entered(block: Awaited) -> None:
    import asyncio

    turn = threading.Lock()
    entered = False
    cancelled: BaseException | None = None

    def enter() -> None:
        nonlocal entered
        block.__enter__()
        with turn:
            entered = True
            why = cancelled
        if why is not None:
            block._leave(why)

    try:
        await aside(enter)
    except asyncio.CancelledError as error:
        with turn:
            cancelled, to_leave = error, entered
        if to_leave:
            await aside(block._leave, error)
        raise
