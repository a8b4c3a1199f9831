"""The processes of a schedule: publishers, workers, flushers, a sweeper, maintenance; and when all of them are at rest."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from contract import keys
from contract.errors import RuntallyError
from contract.link import Link
from contract.settings import Settings
from simulation.actors import Actor
from simulation.commands import entry_id
from simulation.ledger import REGISTRY
from simulation.link import SimulatedLink
from simulation.publisher import PublisherModel, Publishing, publish
from simulation.real_publisher import RealPublisher
from simulation.redis_model import Hash, Stream, Zset
from simulation.world import World
from worker.consume import Consumer
from worker.flush.flusher import flush
from worker.maintain import retire
from worker.sweep import sweep

BASE_ID = "appSimulation"
_RUNS = {1: ["250930-141522"], 2: ["250930-141522", "250930-141504"]}
_CLIENTS = ("a", "b")
_STALE_AFTER_S = 20.0


@cache
def settings_of(partitions: int, retention_s: int) -> Settings:
    """The settings of all processes. Made without looking at the environment or `.env`. With a retention of 0 there is a base."""
    values: dict[str, object] = {"partitions": partitions, "stale_after_s": _STALE_AFTER_S}
    values |= {"retention_s": retention_s} if retention_s else {"airtable_base_id": BASE_ID, "airtable_token": "none"}
    return Settings(_env_file=None, **values)  # type: ignore[arg-type, call-arg]  # checked by pydantic


class Cast:
    """All processes of one schedule."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._settings = settings_of(world.mix.partitions, world.mix.retention_s)
        self._numbers = 0
        self._publishers: dict[Actor, Publishing] = {}
        runs = _RUNS[world.mix.partitions]
        self._rows = [(keys.partition_of(run, world.mix.partitions), f"{run}-{client}") for run in runs for client in _CLIENTS]
        self._start()
        world.idle, world.at_rest = self.idle, self.at_rest

    def _start(self) -> None:
        mix = self._world.mix
        # Noted long ago, as the layout: a Redis that loses even its first flush is not the matter here.
        self._world.redis.keys[keys.flush_life(BASE_ID)] = {b"life": b"run_id:%d" % self._world.redis.life}
        for _ in range(mix.publishers):
            self.publisher(mix.events // mix.publishers)
        for number in range(mix.workers):
            self._supervise("worker", self._consume, number % mix.partitions)
        if mix.partitions > mix.workers:
            self._supervise("worker", self._consume, 1)
        for _ in range(mix.flushers):
            self._supervise("flusher", self._flush, 0)
        if mix.sweeper:
            self._supervise("sweeper", self._sweep, 0)
        if mix.retention_s:
            self._supervise("maintenance", self._maintain, 0)

    def _name(self, role: str) -> str:
        self._numbers += 1
        return f"{role}{self._numbers}"

    def publisher(self, events: int) -> None:
        """A publisher with a source of its own; when it is killed, another takes up its work, not its events."""
        world, name = self._world, self._name("publisher")
        model = RealPublisher(world, name) if world.mix.real_publishers else PublisherModel(world, f"/sim/{name}")
        actor = world.spawn(name, "publisher", lambda: publish(world, model, self._rows, events))
        actor.supervised = lambda: self.publisher(max(2, events // 3))
        self._publishers[actor] = model

    def _supervise(self, role: str, body: Callable[[Actor, int], None], number: int, delay_s: float = 0.0) -> None:
        """Start a process, and another when it is killed."""
        world = self._world
        actor = world.spawn(self._name(role), role, lambda: body(actor, number), delay_s)
        actor.supervised = lambda: self._supervise(role, body, number, world.rng.random() * 5)

    def _consume(self, actor: Actor, partition: int) -> None:
        """A worker's process: turns at one partition, as tasks.consume gives them."""
        world = self._world
        consumer = Consumer(self._settings, REGISTRY, partition)
        while True:
            try:
                actor.busy = True
                consumer.turn()
            except RuntallyError as error:
                world.note(f"put off: {error}")
            actor.busy = False
            world.rest(world.mix.tempo_s)

    def _flush(self, actor: Actor, _: int) -> None:
        """A flusher's process: one flush after another, as tasks.flush does, each on a link of its own."""
        world = self._world
        while True:
            link = SimulatedLink(name="runtally-flush")
            try:
                actor.busy = True
                link.open()
                report = flush(self._settings, link, REGISTRY, lambda: False, 20.0)
                if world.traced and report.ending != "held":
                    world.note(f"flush: {report.ending}, {report.rows_written} rows written, {report.waiting} waiting")
            except RuntallyError as error:
                world.note(f"put off: {error}")
            link.close()
            actor.busy = False
            world.rest(world.mix.flush_pause_s)

    def _sweep(self, actor: Actor, _: int) -> None:
        """A sweeper's process: runs that have been silent for a while are closed, and opened again by what comes late."""
        self._now_and_then(actor, "sweep", lambda link: sweep(link, self._settings))

    def _maintain(self, actor: Actor, _: int) -> None:
        """Maintenance: runs that have had their time are retired. What is folded stays in the log, for the ledger."""

        def retire_all(link: Link) -> None:
            for partition in range(self._world.mix.partitions):
                if done := retire(link, partition, self._settings):
                    self._world.note(f"{done} runs of partition {partition} retired")

        self._now_and_then(actor, "maintain", retire_all)

    def _now_and_then(self, actor: Actor, name: str, work: Callable[[Link], object]) -> None:
        """A process that does its work now and then, each time on a link of its own."""
        world = self._world
        while True:
            link = SimulatedLink(name=f"runtally-{name}")
            try:
                actor.busy = True
                link.open()
                work(link)
            except RuntallyError as error:
                world.note(f"put off: {error}")
            link.close()
            actor.busy = False
            world.rest(world.mix.tempo_s * 5)

    def at_rest(self) -> bool:
        """It is idle, and no row is still to be written once more."""
        return self.idle() and not self._world.redis.get(keys.flush_again(BASE_ID), Zset)

    def idle(self) -> bool:
        """All is delivered, folded and flushed, nobody is in the midst of anything, and nothing is on its way."""
        world = self._world
        if world.awaited or any(actor.busy or actor.doomed for actor in world.actors if actor.alive):
            return False
        if not all(publisher.drained for actor, publisher in self._publishers.items() if actor.alive):
            return False
        for partition in range(world.mix.partitions):
            state: Hash = world.redis.get(keys.state(partition), dict) or {}
            log = world.redis.get(keys.log(partition), Stream)
            end = log.entries[-1][0] if log and log.entries else (0, 0)
            if entry_id(state.get(b"offset", b"0-0")) < end:
                return False
            dirty: Zset = world.redis.get(keys.dirty(partition), Zset) or Zset()
            if dirty and world.mix.flushers:
                return False
        return True
