"""The world of one schedule: its clock, its random choices, who runs next, and what goes wrong meanwhile."""

from __future__ import annotations

import heapq
import threading
import traceback
from collections.abc import Callable
from random import Random

from contract import keys
from simulation.actors import Actor
from simulation.airtable_model import AirtableModel
from simulation.faults import Faults
from simulation.ledger import Ledger
from simulation.mix import Mix
from simulation.redis_model import RedisModel

START_S = 1_759_233_600.0
"""2025-09-30 12:00 UTC."""

MOST_STEPS = 20_000
"""A schedule that has not come to rest by then never will. Most need 400; one in which a row waits again and again, 6,000."""


class World:
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
        self.airtable = AirtableModel()
        self.ledger = Ledger(self)
        self.actors: list[Actor] = []
        self.current: Actor | None = None
        self.faults = Faults(self)
        self.idle: Callable[[], bool] = lambda: True
        """Whether there is nothing to do now."""
        self.at_rest: Callable[[], bool] = lambda: True
        """Whether there is nothing to do ever again."""
        self._later: list[tuple[float, int, str, Callable[[], None]]] = []
        self._laters = 0
        self._fsync_s = START_S + 1

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

    def failed(self, actor: Actor, error: BaseException) -> None:
        """An actor ended with an error that none of its callers expects."""
        where = "".join(traceback.format_exception(error)[-3:])
        self.blame(f"{actor.name} ended with {type(error).__name__}: {error}\n{where}")

    def spawn(self, name: str, role: str, body: Callable[[], None], delay_s: float = 0.0) -> Actor:
        """Start an actor."""
        actor = Actor(self, name, role, body)
        actor.wake_s = self.now_s + delay_s
        self.actors.append(actor)
        return actor

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

    def choose(self) -> Actor | None:
        """One step: the clock goes on, things happen, somebody is next."""
        if self.over:
            return None
        self.current = None
        self.steps += 1
        self.now_s += self.rng.random() * (min(self.mix.step_s, 0.05) if self.quiet else self.mix.step_s)
        if not self.quiet:
            self.quiet = self.steps > self.mix.noisy_steps
            if self.quiet:
                self.faults.cease()
                self._fsync_s = self.now_s
            else:
                self.faults.happen()
        actor = self._next()
        self.ledger.check()
        if self.quiet and not self.over and self.at_rest():
            self.ledger.check_at_rest()
            self.over = True
        if self.steps > MOST_STEPS:
            self.blame("does not come to rest")
        self.current = actor
        return None if self.over else actor

    def _next(self) -> Actor:
        alive = self.actors = [actor for actor in self.actors if actor.alive]
        first_s = min(actor.ready_s for actor in alive)
        self.now_s = max(self.now_s, first_s)
        while self._later and self._later[0][0] <= self.now_s:
            _, _, text, what = heapq.heappop(self._later)
            self.note(text)
            what()
        self._background()
        ready = [actor for actor in alive if actor.ready_s <= self.now_s]
        return ready[0] if len(ready) == 1 else self.rng.choice(ready)

    def _background(self) -> None:
        redis = self.redis
        if self.now_s >= self._fsync_s:
            self._fsync_s = self.now_s + (0.5 if self.quiet else self.mix.fsync_s)
            if redis.fsynced < redis.position:
                redis.fsync()
        if redis.replicated < redis.position and (self.quiet or self.rng.random() < self.mix.p_replicate):
            redis.replicate()

    def conduct(self) -> None:
        """Play until the end; then end every actor."""
        first = self.choose()
        if first is not None:
            first.resume()
            self.conductor.acquire()
        self.over = True
        for actor in self.actors:
            if actor.alive and actor.end():
                self.conductor.acquire()
