"""Heartbeats: a job or client run that is at work but has nothing to tell is not silent.

One daemon thread a process sends one for each block that is open, every sixth of `stale_after_s`, 5 minutes at most. A process
that dies stops sending them: that is what the sweeper goes by. One that SIGTERM ends says so for each block (producers/exits.py).
"""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from typing import Protocol

from producers import exits
from producers.alone import is_alone

_LONGEST_S = 300.0
_SIGTERM = "ended by SIGTERM"


class Beating(Protocol):
    """What can tell that it is alive."""

    def beat(self) -> None:
        """Emit a heartbeat. Must not raise."""

    def beat_every_s(self) -> float:
        """Seconds between two of them."""

    def abort(self, note: str) -> None:
        """Tell that it has failed, unless its end was told already. From a signal's handler: must not raise."""


class _Heart:
    def __init__(self) -> None:
        self._open: weakref.WeakSet[Beating] = weakref.WeakSet()
        # Reentrant: a signal's handler may find its own thread inside.
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()

    def add(self, work: Beating) -> None:
        with self._lock:
            self._open.add(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="runtally-heartbeat", daemon=True)
                self._thread.start()
        self._wake.set()

    def remove(self, work: Beating) -> None:
        with self._lock:
            self._open.discard(work)

    def abort(self, note: str) -> None:
        # A child that was forked a moment ago may still have its parent's.
        if self._pid != os.getpid():
            return
        with self._lock:
            open_now = list(self._open)
        for work in open_now:
            work.abort(note)

    def _run(self) -> None:
        due_s = math.inf
        while True:
            with self._lock:
                open_now = list(self._open)
            # Work that begins meanwhile may bring the next beat forward, never put it off.
            due_s = min(due_s, time.monotonic() + min((work.beat_every_s() for work in open_now), default=math.inf))
            self._wake.wait(None if due_s == math.inf else max(0.0, due_s - time.monotonic()))
            self._wake.clear()
            if time.monotonic() >= due_s:
                due_s = math.inf
                with self._lock:
                    open_now = list(self._open)
                for work in open_now:
                    work.beat()


_heart = _Heart()


def interval_s(stale_after_s: float) -> float:
    """Often enough that a few lost in a row do no harm."""
    return min(_LONGEST_S, stale_after_s / 6)


def begin(work: Beating) -> None:
    """Send heartbeats for it from now on."""
    if not is_alone():
        _heart.add(work)


def end(work: Beating) -> None:
    """No more heartbeats for it."""
    _heart.remove(work)


def _in_child() -> None:
    """A forked child keeps nobody's work alive but its own."""
    global _heart  # noqa: PLW0603
    _heart = _Heart()


os.register_at_fork(after_in_child=_in_child)
exits.tell_first(lambda: _heart.abort(_SIGTERM))
