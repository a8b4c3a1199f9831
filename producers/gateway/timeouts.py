"""A bound on how long something may take, for many at a time."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Timeouts:
    """`with timeouts.one():` raises TimeoutError where what is awaited in the block takes longer than `after_s`; as asyncio.timeout.

    All blocks have the same time, so one timer serves them all: a timer for each would cost a twentieth of a request. One for each
    event loop; a block is opened and closed by the same task."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        # A dict, because it keeps the order: the first one ends first.
        self._open: dict[_Block, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def one(self) -> _Block:
        """A block, not yet open."""
        return _Block(self)

    def opened(self, block: _Block) -> float:
        """Watch over a block; the loop's time until which it may be open."""
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + self._after_s
        self._open[block] = None
        if self._timer is None:
            self._timer = loop.call_at(ends_s, self._look)
        return ends_s

    def closed(self, block: _Block) -> None:
        """Watch no longer."""
        self._open.pop(block, None)

    def _look(self) -> None:
        """End what is overdue, and look again when the next one may be."""
        loop = asyncio.get_running_loop()
        self._timer = None
        for block in list(self._open):
            if block.ends_s > loop.time():
                self._timer = loop.call_at(block.ends_s, self._look)
                return
            self.closed(block)
            block.give_up()


class _Block:
    """One block of one task."""

    __slots__ = ("_cancelling", "_late", "_task", "_timeouts", "ends_s")

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._late = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self.ends_s = self._timeouts.opened(self)

    def give_up(self) -> None:
        """Its time is up."""
        self._late = True
        self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._timeouts.closed(self)
        # Where somebody else cancels the task as well, that is what counts.
        if self._late and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error
