"""Actors: code that runs as if it were alone, one actor at a time, and gives way at each look at the outside world.

Each actor has a thread, but only the one that holds the baton runs, so a schedule is decided by its seed alone. Threads, since
the code under test is plain blocking code: it has no points of its own at which it could be left and resumed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol


class Killed(BaseException):
    """The process of this actor was killed: nothing it does from now on reaches anybody."""


class Stage(Protocol):
    """Who decides which actor is next."""

    def choose(self) -> Actor | None:
        """The actor to run next; None when the play is over."""

    def failed(self, actor: Actor, error: BaseException) -> None:
        """An actor ended with an error that nobody expected."""

    @property
    def conductor(self) -> threading.Lock:
        """Released when the play is over."""


class Actor:
    """One process, or one thread of it. `wake_s`: when it wants to go on; `frozen_until_s`: when it may."""

    def __init__(self, stage: Stage, name: str, role: str, body: Callable[[], None]) -> None:
        self.stage = stage
        self.name = name
        self.role = role
        self.body = body
        self.wake_s = 0.0
        self.frozen_until_s = 0.0
        self.doomed = False
        self.alive = True
        self.baton = threading.Lock()
        self.baton.acquire()
        self.carrier: Carrier | None = None
        self.busy = False
        """In the midst of something: the schedule is not at rest."""
        self.supervised: Callable[[], None] = lambda: None
        """Called when it was killed, to start its successor."""

    @property
    def ready_s(self) -> float:
        """When it may run."""
        return max(self.wake_s, self.frozen_until_s)

    def pause(self, until_s: float) -> None:
        """Give way; returns when it is this actor's turn again, not before `until_s`. Raises Killed."""
        if self.doomed:
            raise Killed
        self.wake_s = until_s
        chosen = self.stage.choose()
        if chosen is not self:
            _hand_on(self.stage, chosen)
            self.baton.acquire()
        if self.doomed:
            raise Killed

    def resume(self) -> None:
        """Give it the baton; the first time it gets a thread."""
        if self.carrier is None:
            self.carrier = Carrier.take()
            self.carrier.actor = self
            self.carrier.wake.release()
        else:
            self.baton.release()

    def end(self) -> bool:
        """Kill it. True when it has to unwind, after which it hands the baton on; False when it has never run."""
        self.doomed = True
        if self.carrier is None:
            self.alive = False
            return False
        self.baton.release()
        return True

    def run(self, carrier: Carrier) -> None:
        """Called by its carrier, with the baton in hand; ends with the baton handed on."""
        try:
            if not self.doomed:
                self.body()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is the schedule's result
            self.stage.failed(self, error)
        self.alive = False
        # Still with the baton in hand: the pool needs no lock.
        Carrier.idle.append(carrier)
        _hand_on(self.stage, self.stage.choose())


def _hand_on(stage: Stage, actor: Actor | None) -> None:
    if actor is None:
        stage.conductor.release()
    else:
        actor.resume()


class Carrier(threading.Thread):
    """A thread that carries one actor after another: starting one takes longer than many a schedule."""

    idle: list[Carrier] = []  # noqa: RUF012  # shared on purpose: the pool

    def __init__(self) -> None:
        super().__init__(name="simulation-carrier", daemon=True)
        self.wake = threading.Lock()
        self.wake.acquire()
        self.actor: Actor | None = None

    @classmethod
    def take(cls) -> Carrier:
        """An idle thread, or a new one."""
        if cls.idle:
            return cls.idle.pop()
        carrier = cls()
        carrier.start()
        return carrier

    def run(self) -> None:
        """Carry actors until the process ends."""
        while True:
            self.wake.acquire()
            actor, self.actor = self.actor, None
            if actor is not None:
                actor.run(self)
