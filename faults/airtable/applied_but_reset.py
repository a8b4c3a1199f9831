"""Airtable applies a write, and its answer never comes: on a fifth of the calls."""

from __future__ import annotations

from typing import Any

from faults.airtable.place import place
from faults.airtable.play import outcome, play
from faults.airtable.rows import Rows

NAME = "Airtable applied, then reset, on 20 % of the calls"


def run(seed: int, seconds: float) -> dict[str, Any]:
    """Two flushers, rows that change all the time."""
    with place(seconds) as scene:
        rows = Rows(scene.link, scene.settings.partitions, seed, jobs=6, clients=5)
        scene.remote.fault("reset", when="after", probability=0.2, seed=seed)
        scene.start_senders("flush", "flush")
        played = play(scene, rows, seconds, lambda _: None, scene.remote.clear_faults)
        lockouts = scene.counters()["lockouts"]
        wrong = [f"{lockouts} lockouts"] if lockouts else []
        if not scene.flushed("unclear"):
            wrong.append("no call was struck: play it longer")
        return outcome(NAME, seed, scene, rows, played, *wrong, unclear=scene.flushed("unclear"))
