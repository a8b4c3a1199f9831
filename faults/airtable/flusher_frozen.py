"""A flusher frozen with SIGSTOP, a request in hand, for twice its lease, then woken, while another has taken over the base.

Its late request may bring an old version over a newer one. It finds its lease gone and has those rows written once more.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from faults.airtable.place import Place, place
from faults.airtable.play import outcome, play
from faults.airtable.rows import Rows

NAME = "flusher frozen"


class Thaw:
    """Wakes a flusher once it has been frozen for twice the lease. `freezes`: how often it was."""

    def __init__(self, flusher: subprocess.Popen[bytes], scene: Place) -> None:
        self._flusher = flusher
        self._asleep_s = 2 * scene.lease_s
        self._frozen_at: float | None = None
        self.freezes = 0

    def look(self) -> None:
        """Call it several times a second."""
        now = time.monotonic()
        if self._frozen_at is None and os.waitid(os.P_PID, self._flusher.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None:
            self._frozen_at, self.freezes = now, self.freezes + 1
        elif self._frozen_at is not None and now > self._frozen_at + self._asleep_s:
            self.wake()

    def wake(self) -> None:
        """Now."""
        self._flusher.send_signal(signal.SIGCONT)
        self._frozen_at = None


def run(seed: int, seconds: float) -> dict[str, Any]:
    """Two flushers, one of which freezes. The details count the freezes; without one nothing is proved."""
    with place(seconds) as scene, TemporaryDirectory(prefix="runtally-freeze-") as folder:
        rows = Rows(scene.link, scene.settings.partitions, seed, jobs=10, clients=5)
        switch = Path(folder, "freeze")
        switch.touch()
        thaw = Thaw(scene.start_freezing(switch), scene)
        scene.start_senders("flush")

        def end() -> None:
            switch.unlink()
            thaw.wake()

        played = play(scene, rows, seconds, lambda _: thaw.look(), end)
        wrong = [] if thaw.freezes else ["it was never frozen"]
        return outcome(NAME, seed, scene, rows, played, *wrong, freezes=thaw.freezes)
