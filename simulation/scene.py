"""The scene of one schedule: its clock, its random choices, who plays, the model of Redis. What all who play in it may look at and tell."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from random import Random

from contract import keys
from simulation.actors import Actor
from simulation.mix import Mix
from simulation.redis_model import RedisModel

START_S = 1_759_233_600.0
"""2025-09-30 12:00 UTC."""


class Scene:
    """`violation`: what was wrong first, None as long as nothing was. `trace`: what happened, if `traced`."""

    def __init__(self, rng: Random, mix: Mix, *, traced: bool = False) -> None:
        self.rng = rng
        self.mix = mix
        self.traced = traced
        self.trace: list[str] = []
        self.now_s = START_S
        self.steps = 0
        self.quiet = False
        self.over = False
        self.violation: str | None = None
        self.conductor = threading.Lock()
        self.conductor.acquire()
        self.redis = RedisModel(lambda: self.now_s, mix.grain_ms)
        # Recorded long ago: what a lost layout does is not the matter here.
        self.redis.keys[keys.META] = {b"layout": b"%d" % keys.LAYOUT, b"partitions": b"%d" % mix.partitions}
        self.redis_up_s = 0.0
        self.actors: list[Actor] = []
        self.current: Actor | None = None
        self.idle: Callable[[], bool] = lambda: True
        """Whether there is nothing to do now."""
        self._later: list[tuple[float, int, str, Callable[[], None]]] = []
        self._laters = 0

    def note(self, text: str) -> None:
        """A line of the trace."""
        if self.traced:
            who = self.current.name if self.current else "world"
            self.trace.append(f"{self.steps:4} {self.now_s - START_S:9.3f}s {who:12} {text}")

    def blame(self, text: str) -> None:
        """An invariant does not hold: the schedule ends."""
        if self.violation is None:
            self.violation = text
            self.note(f"VIOLATION {text}")
        self.over = True

    def pause(self, span_s: float = 0.0) -> None:
        """The actor in hand gives way, for `span_s` at least."""
        actor = self.current
        assert actor is not None
        actor.pause(self.now_s + span_s)

    def rest(self, span_s: float) -> None:
        """The actor in hand has nothing to do: it pauses for up to `span_s`, and longer when all that is left is to wait."""
        if self.quiet:
            span_s = max(span_s, 60.0 if self.idle() else 5.0)
        self.pause(span_s * self.rng.random())

    def later(self, delay_s: float, text: str, what: Callable[[], None]) -> None:
        """Something that happens by itself, such as the arrival of a message."""
        self._laters += 1
        heapq.heappush(self._later, (self.now_s + delay_s, self._laters, text, what))

    @property
    def awaited(self) -> int:
        """How many things are still to happen by themselves."""
        return len(self._later)

    def _arrive(self) -> None:
        """What was to happen by now happens."""
        while self._later and self._later[0][0] <= self.now_s:
            _, _, text, what = heapq.heappop(self._later)
            self.note(text)
            what()
