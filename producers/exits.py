"""Every way a process ends or forks: tell of open blocks, drain the publishers and give back locks where Python lets us, begin anew in a
child.

Covered: normal exit and sys.exit (atexit), SIGTERM where nobody handles it and the publisher was made or first used in the
main thread (elsewhere it ends the process like SIGKILL), multiprocessing and billiard children (which
skip atexit), Celery's prefork children (which skip both). SIGKILL and os._exit lose what is in memory: only a
durable event (docs/spool.md) is not.
"""

from __future__ import annotations

import atexit

# Loaded before our hooks are registered, for two reasons. What redis-py needs of it can only be imported while the interpreter is not
# shutting down, and a short script's events may be sent by a thread that loads redis-py when the script has ended already. And
# logging holds its lock during a fork: hooks run in reverse order, so ours, which waits for imports that log, must come first.
import concurrent.futures.thread  # noqa: F401
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol


class Settled(Protocol):
    """What must not be in the midst of something when the process forks."""

    def settle(self) -> None:
        """Before a fork: come to rest."""

    def resume(self) -> None:
        """After it, in the parent: go on."""


class Drained(Protocol):
    """What sends: a publisher."""

    left: int
    """Events that the last `close` left in the spool."""

    @property
    def life(self) -> Settled:
        """What it does now; another after `close` and `begin_anew`."""

    def close(self) -> int:
        """Deliver or store what is left; how many events are neither."""

    def begin_anew(self) -> None:
        """In a forked child: let go of what is the parent's."""


class Held(Protocol):
    """What is given back when the process ends: a lock."""

    def let_go(self) -> None:
        """Give it back, from a signal's handler. Does nothing when it is not held. Raises nothing of Redis'."""


_publishers: weakref.WeakSet[Drained] = weakref.WeakSet()
_locks: weakref.WeakSet[Held] = weakref.WeakSet()
_tellers: list[Callable[[], None]] = []
_settled: list[Settled] = []
_armed_pid = 0
_undisturbed = 0
_overdue = False
"""SIGTERM came while it had to wait."""

_forking: dict[int, set[int]] = {}
"""Thread that forks -> its signal mask before. Until it is done, SIGTERM waits: a handler would wait in vain for the lives' locks."""


def watch(publisher: Drained) -> None:
    """Drain this publisher when the process ends; give it a new life in forked children."""
    _publishers.add(publisher)
    arm_sigterm()


def hold(lock: Held) -> None:
    """Give this lock back, if it is still held, when SIGTERM ends the process: no block is left then."""
    _locks.add(lock)
    arm_sigterm()


def tell_first(tell: Callable[[], None]) -> None:
    """Call this when SIGTERM ends the process, before the publishers are drained: what no block is left to tell."""
    _tellers.append(tell)


def arm() -> None:
    """Called when a publisher's thread has started: arms what has to be armed in this very process."""
    global _armed_pid  # noqa: PLW0603  # one process, one set of exit hooks
    if _armed_pid == os.getpid():
        return
    _armed_pid = os.getpid()
    # Celery's and multiprocessing's children end without atexit, but each has an exit hook of its own. Neither is
    # imported here: where it is not loaded, this is no child of it.
    for name in ("multiprocessing.util", "billiard.util"):
        util = sys.modules.get(name)
        if util is not None:
            util.Finalize(None, drain, exitpriority=100)
    signals = sys.modules.get("celery.signals")
    if signals is not None:
        signals.worker_process_shutdown.connect(_drain_in_celery, weak=False)
    arm_sigterm()


def arm_sigterm() -> None:
    """Handle SIGTERM where nobody does. Only the main thread may do it, so it is tried when a publisher is made, when it begins to send,
    and when a block is entered by `async with`, which may leave all that to other threads."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def drain() -> None:
    """Deliver what is left, each publisher for its `drain_timeout_s` at most. What is not delivered is told on stderr."""
    for publisher in list(_publishers):
        lost = publisher.close()
        if publisher.left:
            sys.stderr.write(f"runtally: {publisher.left} events wait in the spool; the next process here that emits sends them\n")
        if lost:
            sys.stderr.write(f"runtally: {lost} events were not delivered before the process ended, and the spool did not take them\n")


def _drain_in_celery(**_: Any) -> None:
    drain()


@contextmanager
def undisturbed() -> Iterator[None]:
    """In the main thread, where the handlers of signals run: SIGTERM waits until the block has ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _hold()
    try:
        yield
    finally:
        _let_on()


def _hold() -> None:
    global _undisturbed  # noqa: PLW0603
    _undisturbed += 1


def _let_on() -> None:
    global _undisturbed  # noqa: PLW0603
    _undisturbed -= 1
    _make_up()


def _make_up() -> None:
    """SIGTERM came while it had to wait: if it need not wait any more, now."""
    global _overdue  # noqa: PLW0603
    if _overdue and not _undisturbed and not _forking:
        _overdue = False
        os.kill(os.getpid(), signal.SIGTERM)


def _on_sigterm(number: int, _: FrameType | None) -> None:
    """Tell of open blocks, drain, give locks back, then end as SIGTERM ends a process that does not handle it."""
    global _overdue  # noqa: PLW0603
    if _undisturbed or _forking:
        _overdue = True
        return
    for tell in _tellers:
        tell()
    drain()
    # Last: until the process ends, its other threads are at work.
    for lock in list(_locks):
        lock.let_go()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _before_fork() -> None:
    # Blocked, since Python forgets in the child what came to it before our hook (CPython, _PySignal_AfterFork).
    _forking[threading.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    for publisher in list(_publishers):
        publisher.life.settle()
        _settled.append(publisher.life)


def _in_parent() -> None:
    while _settled:
        _settled.pop().resume()
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.pop(threading.get_ident()))
    _make_up()


def _in_child() -> None:
    global _undisturbed, _overdue
    # What came to the parent is the parent's.
    _undisturbed, _overdue = 0, False
    _settled.clear()
    for publisher in list(_publishers):
        publisher.begin_anew()
    mask = _forking[threading.get_ident()]
    _forking.clear()
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


atexit.register(drain)
os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
