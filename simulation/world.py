"""The world of one schedule: a scene with Airtable, faults and a ledger, and who in it runs next."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from random import Random

from simulation.actors import Actor
from simulation.airtable_model import AirtableModel
from simulation.faults import Faults
from simulation.ledger import Ledger
from simulation.mix import Mix
from simulation.scene import START_S, Scene

MOST_STEPS = 20_000
"""A schedule that has not come to rest by then never will. Most need 400; one in which a row waits again and again, 6,000."""


class World(Scene):
    """Who is next, what goes wrong by itself, and whether all that must hold does."""

    def __init__(self, rng: Random, mix: Mix, *, traced: bool = False) -> None:
        super().__init__(rng, mix, traced=traced)
        self.airtable = AirtableModel()
        self.faults = Faults(self, self.airtable)
        self.ledger = Ledger(self, self.airtable, self.faults)
        self.at_rest: Callable[[], bool] = lambda: True
        """Whether there is nothing to do ever again."""
        self._fsync_s = START_S + 1

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
        self._arrive()
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
