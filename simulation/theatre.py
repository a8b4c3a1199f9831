"""Where the code under test finds the world it plays in: one schedule at a time in a process."""

from __future__ import annotations

from simulation.actors import Actor
from simulation.world import World

_stage: list[World] = []

silent_links: tuple[str, ...] = ()
"""Beginnings of the names of links that reconnect without a word: a mutation."""


def world() -> World:
    """The world being played."""
    return _stage[-1]


def actor() -> Actor:
    """The actor whose turn it is."""
    acting = world().current
    assert acting is not None
    return acting


def enter(entering: World) -> None:
    """From now on this world is played."""
    _stage[:] = [entering]
