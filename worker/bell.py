"""The doorbell: publishers ring it after an append, one worker answers by sending `consume` for that partition.

A set, not a queue: it holds a partition at most once however often it rings, and keeps it while no worker is there. A ring
that is lost (a worker that dies between hearing and sending) costs a beat tick.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from contract import keys
from contract.errors import RuntallyError
from contract.link import Link
from contract.settings import Settings
from worker.stopping import stopping

_WAIT_S = 1
_RETRY_S = 1.0

_log = structlog.get_logger("runtally.bell")


class BellListener:
    """A daemon thread that waits at the bell and calls `answer(partition)`, until the worker stops."""

    def __init__(self, settings: Settings, answer: Callable[[int], object]) -> None:
        self._link = Link(settings.redis_url.get_secret_value(), name="runtally-bell")
        self._answer = answer
        self._thread = threading.Thread(target=self._run, name="runtally-bell", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def _run(self) -> None:
        while not stopping.is_set():
            try:
                self._link.open()
                self._listen_once()
            except RuntallyError as error:
                _log.warning("the bell cannot be heard", error=str(error))
                stopping.wait(_RETRY_S)
            except Exception:  # noqa: BLE001  # the broker's errors are of many kinds, and the listener must outlive them all
                _log.exception("a doorbell could not be answered: the next beat tick will")
                stopping.wait(_RETRY_S)
        self._link.close()

    def _listen_once(self) -> None:
        ring = self._link.call("BZPOPMIN", keys.BELL, _WAIT_S)
        if ring is None:
            return
        partition = int(ring[1])
        # Whoever holds the lease looks at the log once more after letting it go, so this ring is heard there.
        if not self._link.call("EXISTS", keys.consume_lease(partition)):
            self._answer(partition)


def ring(link: Link, partition: int) -> None:
    """Ring for a partition. Raises StoreUnavailable, StoreRefused."""
    link.call("ZADD", keys.BELL, 0, partition)
