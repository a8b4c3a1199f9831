"""What a schedule is made of, drawn from its seed: each schedule has some faults and not others, so that each gets its chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

LEVELS = ("appended", "fsynced", "replicated")


@dataclass(frozen=True, slots=True)
class Mix:
    """`p_…`: chance at each step, or for `p_cut`, `p_refused` and the Airtable ones at each request; `p_ambush`: see Faults.ambush.

    Without a flusher a schedule is about the log and the rows alone. `step_s`: how long a step takes at most; `tempo_s`: how long
    actors pause. `fsync_s`: how often Redis' disk keeps up; `p_replicate`: how often its replica does. `noisy_steps`: after these
    faults end and everything has to come to rest. `retention_s`: how long rows are kept; 0 where no maintenance is done.
    """

    level: str
    partitions: int
    workers: int
    flushers: int
    publishers: int
    real_publishers: bool
    events: int
    sweeper: bool
    step_s: float
    tempo_s: float
    flush_pause_s: float
    noisy_steps: int
    grain_ms: int
    fsync_s: float
    p_replicate: float
    p_cut: float
    p_refused: float
    p_crash: float
    p_failover: float
    p_freeze: float
    p_kill: float
    p_fork: float
    p_busy: float
    p_unclear: float
    p_deleted: float
    p_ambush: float = 0.0
    retention_s: int = 0


def draw(rng: Random) -> Mix:
    """The mix of one schedule."""

    def sometimes(share: float, *values: float) -> float:
        chosen = rng.choice(values)
        return chosen if rng.random() < share else 0.0

    level = rng.choice(LEVELS)
    # Mostly the losses that the level promises to survive; now and then others, after which only "never twice" is promised.
    beyond = rng.random() < 0.1
    return Mix(
        level=level,
        partitions=rng.choice((1, 1, 1, 2)),
        workers=rng.choice((1, 2, 2, 3)),
        flushers=rng.choice((0, 0, 1, 2, 2)),
        publishers=rng.choice((1, 1, 2)),
        real_publishers=rng.random() < 0.5,
        events=rng.randrange(4, 26),
        sweeper=rng.random() < 0.2,
        step_s=rng.choice((0.02, 0.2, 1.0)),
        tempo_s=rng.choice((0.02, 0.2, 2.0, 10.0)),
        flush_pause_s=rng.choice((1.0, 5.0, 30.0)),
        noisy_steps=rng.randrange(60, 260),
        grain_ms=rng.choice((1, 100, 1_000, 10_000)),
        fsync_s=rng.choice((1.0, 10.0, 100.0)),
        p_replicate=rng.choice((0.2, 0.02)),
        p_cut=sometimes(0.7, 0.01, 0.05, 0.2),
        p_refused=sometimes(0.2, 0.05, 0.3),
        p_crash=sometimes(0.6, 0.01, 0.05) if level == "fsynced" or beyond else 0.0,
        p_failover=sometimes(0.6, 0.01, 0.05) if level == "replicated" or beyond else 0.0,
        p_freeze=sometimes(0.6, 0.01, 0.04),
        p_kill=sometimes(0.5, 0.005, 0.03),
        p_fork=sometimes(0.3, 0.02),
        p_busy=sometimes(0.3, 0.1, 0.4),
        p_unclear=sometimes(0.5, 0.1, 0.4),
        p_deleted=sometimes(0.2, 0.01),
    )


def flush_focus(mix: Mix) -> Mix:
    """Airtable's answers are often unseen, with something else broken just then, and flushes get as far as that."""
    return replace(
        mix,
        flushers=2,
        flush_pause_s=1.0,
        step_s=0.2,
        tempo_s=max(mix.tempo_s, 0.2),
        noisy_steps=4 * mix.noisy_steps,
        p_busy=0.0,
        p_unclear=0.4,
        p_cut=0.02 if mix.p_cut > 0.01 else 0.01,
        p_crash=min(mix.p_crash, 0.01),
        p_failover=min(mix.p_failover, 0.01),
        p_freeze=min(mix.p_freeze, 0.01),
        p_kill=0.01,
        p_ambush=0.4,
    )


def retire_focus(mix: Mix) -> Mix:
    """Runs are silent for so long that they are closed, and their rows go, and then something comes for them. No base is configured."""
    return replace(mix, flushers=0, sweeper=True, retention_s=5, step_s=0.2, tempo_s=20.0, noisy_steps=2 * mix.noisy_steps)


FOCUSES: dict[str, Callable[[Mix], Mix]] = {"all": lambda mix: mix, "flush": flush_focus, "retire": retire_focus}
"""Name -> what it makes of a mix."""
