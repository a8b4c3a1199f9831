"""What goes wrong by itself: Redis crashes or fails over, processes freeze, die or fork, a person deletes a record."""

from __future__ import annotations

from simulation.actors import Actor
from simulation.airtable_model import AirtableModel
from simulation.scene import Scene

_MOST_PUBLISHERS = 4


class Faults:
    """Decides at each step. `losses`: how many writes were lost. `beyond`: whether some were that the level did not promise to keep."""

    def __init__(self, scene: Scene, airtable: AirtableModel) -> None:
        self._scene = scene
        self._airtable = airtable
        self.losses = 0
        self.beyond = False

    def happen(self) -> None:
        """Perhaps one fault of each kind."""
        scene, mix = self._scene, self._scene.mix
        chance = scene.rng.random
        if mix.p_crash and chance() < mix.p_crash:
            self.crash()
        if mix.p_failover and chance() < mix.p_failover:
            self.fail_over()
        if mix.p_freeze and chance() < mix.p_freeze:
            self.freeze()
        if mix.p_kill and chance() < mix.p_kill:
            self.kill()
        if mix.p_fork and chance() < mix.p_fork:
            self.fork()
        if mix.p_deleted and chance() < mix.p_deleted:
            self._delete_record()

    def _delete_record(self) -> None:
        deleted = self._airtable.delete_one(self._scene.rng)
        if deleted is not None:
            self._scene.note(f"a person deletes {deleted}")

    def cease(self) -> None:
        """From now on nothing goes wrong: who is frozen wakes."""
        self._scene.note("faults end")
        for actor in self._scene.actors:
            actor.frozen_until_s = 0.0

    def crash(self) -> None:
        """Redis ends and comes back with what was on its disk, and perhaps a little more."""
        scene, redis = self._scene, self._scene.redis
        self._lose(redis.fsynced, covered=scene.mix.level == "fsynced", what="crash")
        scene.redis_up_s = scene.now_s + scene.rng.choice((0.1, 2.0, 20.0))

    def fail_over(self) -> None:
        """The replica takes over with what it has, and with its own clock, which is behind."""
        scene, redis = self._scene, self._scene.redis
        self._lose(redis.replicated, covered=scene.mix.level == "replicated", what="failover")
        redis.skew_s -= scene.rng.choice((0.0, 0.5, 5.0, 20.0))
        scene.redis_up_s = scene.now_s + scene.rng.choice((0.0, 1.0))

    def _lose(self, kept: int, *, covered: bool, what: str) -> None:
        scene = self._scene
        lost = scene.redis.lose(scene.rng.randint(kept, scene.redis.position))
        scene.note(f"Redis: {what}, {lost} writes lost")
        self.losses += lost
        self.beyond = self.beyond or (lost > 0 and not covered)

    def freeze(self, actor: Actor | None = None) -> None:
        """A process (or any) stands still, perhaps for longer than its lease."""
        actor = actor or self._somebody()
        actor.frozen_until_s = self._scene.now_s + self._scene.rng.choice((0.5, 12.0, 70.0, 150.0))
        self._scene.note(f"{actor.name} freezes until {actor.frozen_until_s - self._scene.now_s:.0f}s later")

    def ambush(self, actor: Actor) -> None:
        """Something else breaks just when a flusher was left without an answer: it dies or freezes, or Redis does."""
        mix = self._scene.mix
        kinds = [lambda: self.kill(actor), lambda: self.freeze(actor)]
        kinds += [self.crash] * bool(mix.p_crash) + [self.fail_over] * bool(mix.p_failover)
        self._scene.rng.choice(kinds)()

    def kill(self, actor: Actor | None = None) -> None:
        """A process (or any) is killed; who supervises it starts another."""
        actor = actor or self._somebody()
        self._scene.note(f"{actor.name} is killed")
        actor.doomed = True
        actor.wake_s = actor.frozen_until_s = 0.0
        actor.supervised()

    def fork(self) -> None:
        """A producer forks: the child begins with nothing in hand and a source of its own, the parent goes on."""
        parents = [actor for actor in self._scene.actors if actor.alive and not actor.doomed and actor.role == "publisher"]
        if 0 < len(parents) < _MOST_PUBLISHERS:
            self._scene.note(f"{parents[0].name} forks")
            parents[0].supervised()

    def _somebody(self) -> Actor:
        """Mostly somebody who is in the midst of something."""
        alive = [actor for actor in self._scene.actors if actor.alive and not actor.doomed]
        busy = [actor for actor in alive if actor.busy]
        return self._scene.rng.choice(busy if busy and self._scene.rng.random() < 0.8 else alive)
