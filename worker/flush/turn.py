"""How long a flush may go on: until it is told to stop, or its time is up."""

from __future__ import annotations

import time
from collections.abc import Callable

_SLICE_S = 0.05


class TurnOver(Exception):
    """The flush was told to stop, or what it would have to wait for comes after its deadline."""


class Turn:
    """One flush's time. `stop` is asked often and has to be cheap; waits end within 50 ms of its becoming true."""

    def __init__(self, stop: Callable[[], bool], deadline_s: float) -> None:
        """`deadline_s`: seconds from now."""
        self._stop = stop
        self._ends_s = time.monotonic() + deadline_s
        self.stopped = False
        """True once `stop` said so; False when it was the deadline, or neither."""

    def to_stop(self) -> bool:
        """Whether it was told to stop, be its time up or not."""
        self.stopped = self.stopped or self._stop()
        return self.stopped

    def check(self) -> None:
        """Raises TurnOver when it is over."""
        if self.to_stop() or time.monotonic() >= self._ends_s:
            raise TurnOver

    def pause(self, wait_s: float, needed_s: float | None = None) -> None:
        """Wait `wait_s`, a part of the `needed_s` that there is to wait in all.

        Raises TurnOver as soon as it is over, and at once when what is needed would end after the deadline.
        """
        until_s = time.monotonic() + wait_s
        if time.monotonic() + (needed_s or wait_s) >= self._ends_s:
            raise TurnOver
        while True:
            self.check()
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, _SLICE_S))
