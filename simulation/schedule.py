"""One schedule: a seed, a world, its processes; what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from simulation import theatre
from simulation.mix import FOCUSES, Mix, draw
from simulation.roles import Cast
from simulation.world import World


@dataclass(frozen=True, slots=True)
class Outcome:
    """`violation`: the invariant that did not hold, or None. `events`: emitted; `lost`: writes that Redis lost."""

    seed: int
    steps: int
    virtual_s: float
    events: int
    lost: int
    violation: str | None
    mix: Mix
    trace: tuple[str, ...] = ()


def play(seed: int, *, traced: bool = False, focus: str = "all") -> Outcome:
    """Play one schedule, the same each time. Call it within patches.patched(STANDING)."""
    rng = Random(seed)  # noqa: S311  # repeatable on purpose
    world = World(rng, FOCUSES[focus](draw(rng)), traced=traced)
    theatre.enter(world)
    began_s = world.now_s
    Cast(world)
    world.conduct()
    events = sum(len(lane) for lane in world.ledger.events.values())
    return Outcome(seed, world.steps, world.now_s - began_s, events, world.faults.losses, world.violation, world.mix, tuple(world.trace))
