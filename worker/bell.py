"""The doorbell: publishers ring it after an append, one worker answers by sending `consume` for that partition.

A set, not a queue: it holds a partition at most once however often it rings, and keeps it while no worker is there. Whatever
became of a ring (a publisher that could not, a worker or a broker that lost it), the listener looks for itself every second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from contract import keys
from contract.errors import RuntallyError
from contract.link import Link
from contract.settings import Settings
from worker.maintain import backlog, relieve
from worker.stopping import stopping

LOOK_S = 1.0
"""How late an event is folded at most when no doorbell was heard for it."""

PATIENCE_S = 6.0
"""How long after a message was sent for a partition it may stand still before it is consumed without one. Longer than a turn:
Celery may take half a minute to notice that its broker is back."""

_WAIT_S = 1
_RETRY_S = 1.0

_log = structlog.get_logger("runtally.bell")


class BellListener:
    """A daemon thread that waits at the bell, and calls for a partition to be consumed, until the worker stops.

    `send(partition)` asks for it over Celery. Where that fails, as on a full Redis or without a broker, or nothing comes of it for
    PATIENCE_S, `consume(partition)` is done here and now: what frees the log must not depend on a message that does not fit.
    After a new connection it asks at once for all that waits, also where somebody seems to be at work: the leases may be those of
    turns that the same mishap has ended.
    """

    def __init__(self, settings: Settings, send: Callable[[int], object], consume: Callable[[int], object]) -> None:
        self._settings = settings
        self._link = Link(settings.redis_url.get_secret_value(), name="runtally-bell")
        self._send = send
        self._consume = consume
        self._looked_s = 0.0
        self._epoch = 0
        self._since: dict[tuple[int, str], float] = {}
        """Since when (monotonic) a partition waits at an offset, whatever became of the connection."""
        self._thread = threading.Thread(target=self._run, name="runtally-bell", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def _run(self) -> None:
        while not stopping.is_set():
            try:
                epoch = self._link.open()
                if epoch != self._epoch:
                    self._look(anew=True)
                    self._epoch = epoch
                self._listen_once()
            except RuntallyError as error:
                _log.warning("the bell cannot be heard", error=str(error))
                stopping.wait(_RETRY_S)
        self._link.close()

    def _listen_once(self) -> None:
        ring = self._link.call("BZPOPMIN", keys.BELL, _WAIT_S)
        if ring is not None:
            self._answer(int(ring[1]))
        if time.monotonic() - self._looked_s >= LOOK_S:
            self._look()

    def _look(self, *, anew: bool = False) -> None:
        """Ask for whatever waits. `anew`: the connection is new."""
        self._looked_s = now = time.monotonic()
        relieve(self._link, self._settings)
        waiting = backlog(self._link, self._settings.partitions)
        self._since = {place: self._since.get(place, now) for place in waiting.items()}
        for partition in waiting:
            self._answer(partition, anew=anew)
        place = min(self._since, key=self._since.__getitem__, default=None)
        if place is not None and now - self._since[place] > PATIENCE_S:
            # One a look: the others have been sent for, and may be answered meanwhile.
            self._since[place] = now
            _log.warning("no message is answered: consuming here", partition=place[0])
            self._consume(place[0])

    def _answer(self, partition: int, *, anew: bool = False) -> None:
        # Whoever holds the lease looks at the log once more after letting it go, so this ring is heard there.
        if not anew and self._link.call("EXISTS", keys.consume_lease(partition)):
            return
        try:
            self._send(partition)
        except Exception as error:  # noqa: BLE001  # a broker's errors are of many kinds
            _log.warning("no message can be sent: consuming here", partition=partition, error=str(error)[:200])
            self._consume(partition)


def ring(link: Link, partition: int) -> None:
    """Ring for a partition. Raises StoreUnavailable, StoreRefused."""
    link.call("ZADD", keys.BELL, 0, partition)
