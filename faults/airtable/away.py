"""Airtable is down, hangs, answers garbage and errors, one after the other, and is back."""

from __future__ import annotations

from typing import Any

from faults.airtable.place import Place, place
from faults.airtable.play import outcome, play
from faults.airtable.rows import Rows

NAME = "Airtable down, hanging, answering garbage, then back"


class _Bad:
    """The bad times, a quarter each: nobody listens; no answer; no JSON; errors."""

    def __init__(self, scene: Place, seed: int) -> None:
        self._scene = scene
        self._seed = seed
        self._phase = -1

    def __call__(self, gone: float) -> None:
        phase = int(gone * 4)
        if phase == self._phase:
            return
        self._phase = phase
        scene = self._scene
        if phase == 0:
            scene.stop_sandbox()
            return
        if phase == 1:
            scene.start_sandbox()
        scene.remote.clear_faults()
        if phase == 1:
            scene.remote.fault("hang", when="after")
        elif phase == 2:
            scene.remote.fault("garbage", when="after", probability=0.5, seed=self._seed)
            scene.remote.fault("garbage")
        else:
            scene.remote.fault("status", status=500, probability=0.5)
            scene.remote.fault("status", status=503)


def run(seed: int, seconds: float) -> dict[str, Any]:
    """Two flushers. The circuit opens and closes; the calls made meanwhile are few."""
    with place(seconds) as scene:
        rows = Rows(scene.link, scene.settings.partitions, seed, jobs=6, clients=5)
        scene.start_senders("flush", "flush")
        played = play(scene, rows, seconds, _Bad(scene, seed), scene.remote.clear_faults)
        opened, closed = scene.flushed("away_opened"), scene.flushed("away_closed")
        wrong = [] if opened == closed and opened >= 1 else [f"the circuit opened {opened} times and closed {closed} times"]
        return outcome(NAME, seed, scene, rows, played, *wrong, opened=opened, closed=closed)
