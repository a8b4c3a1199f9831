"""Ctrl-C, SIGTERM and a closed terminal, as a flag that is looked at: nothing is torn down in the middle of a step."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignal:
    """A context manager for the main thread: while it is open, the signals set `requested`, and the second one `hurry`.

    Plain attributes rather than an Event, whose lock the handler could find held by the very code it interrupts.
    """

    def __init__(self) -> None:
        self.requested = False
        self.hurry = False

    def __enter__(self) -> Self:
        # nohup has the closing of the terminal ignored: that stays so.
        ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
        self._before = [(number, signal.signal(number, self._on_signal)) for number in _NUMBERS if number not in ignored]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)

    def check(self) -> None:
        """Raises KeyboardInterrupt when a stop was requested: for loops that wait."""
        if self.requested:
            raise KeyboardInterrupt

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.hurry = self.requested
        self.requested = True
