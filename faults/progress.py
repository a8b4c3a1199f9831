"""Watches how many events are folded, and remembers the longest time in which that number stood still."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from contract import keys
from contract.errors import RuntallyError
from contract.link import Link
from contract.settings import Settings

_LOOK_S = 0.02


class Progress:
    """A context manager; watches from its opening to `stop()` or its end, from a thread of its own. Redis away is no progress."""

    def __init__(self, settings: Settings) -> None:
        self._link = Link(settings.redis_url.get_secret_value(), name="runtally-progress", timeout_s=2.0)
        self._partitions = settings.partitions
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="runtally-progress", daemon=True)
        self._moved_at = 0.0
        self.folded = 0
        """Events folded, as last seen. A Redis that lost its tail makes it fall; that is progress too."""
        self.longest_gap_s = 0.0
        """Right after `stop()`."""

    def __enter__(self) -> Self:
        self._moved_at = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """The load is over: what comes now is no gap."""
        if not self._over.is_set():
            self._over.set()
            self._thread.join()
            self._note()

    def _run(self) -> None:
        while not self._over.wait(_LOOK_S):
            try:
                self._link.open()
                replies = self._link.pipeline([("HGET", keys.state(partition), "events") for partition in range(self._partitions)])
                folded = sum(int(reply or 0) for reply in replies)
            except (RuntallyError, TypeError):
                continue
            if folded != self.folded:
                self.folded = folded
                self._note()
                self._moved_at = time.monotonic()
        self._link.close()

    def _note(self) -> None:
        self.longest_gap_s = max(self.longest_gap_s, time.monotonic() - self._moved_at)
