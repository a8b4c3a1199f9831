"""Somebody else drives the base into its lockout while several of our processes send: one of our calls meets it, no more."""

from __future__ import annotations

from itertools import count
from typing import Any

import requests

from airtable_sandbox import FIRST_BASE_ID
from faults.airtable.place import Place, place
from faults.airtable.play import outcome, play
from faults.airtable.rows import Rows

NAME = "429 storm with several processes"

_STORMS = (0.2, 0.6)
"""When the other one calls too often, as shares of the time."""


def run(seed: int, seconds: float) -> dict[str, Any]:
    """Two flushers, one that reads and one that checks the schema, and a stranger who makes six calls at once, twice."""
    with place(seconds) as scene:
        rows = Rows(scene.link, scene.settings.partitions, seed, jobs=10, clients=5)
        scene.start_senders("flush", "flush", "read", "check")
        done, strangers = count(), [0]

        def fault(gone: float) -> None:
            if gone > (*_STORMS, 2.0)[begun[0]]:
                begun[0] = next(done) + 1
                strangers[0] += _storm(scene)

        begun = [0]
        played = play(scene, rows, seconds, fault, lambda: None)
        counters = scene.counters()
        ours = counters["rate_limited"] - strangers[0]
        wrong = [f"{ours} calls of ours met {counters['lockouts']} lockouts"] if ours > counters["lockouts"] else []
        if counters["lockouts"] > len(_STORMS):
            wrong.append(f"{counters['lockouts']} lockouts from {len(_STORMS)} storms")
        # The stranger's calls are in the fullest second too: ours are judged by the lockouts, of which they caused none.
        return outcome(NAME, seed, scene, rows, played, *wrong, calls_in_lockout=ours, stranger=True)


def _storm(scene: Place) -> int:
    """Calls until the base is locked, six at most; how many were refused."""
    url = f"{scene.url}/v0/{FIRST_BASE_ID}/Job%20Tracking?maxRecords=1"
    token = scene.remote.token
    for _ in range(6):
        if requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=5).status_code == requests.codes.too_many_requests:
            return 1
    return 0
