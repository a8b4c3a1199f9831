"""A lock in Redis: taken, renewed and given back by its token. One link, used by one thread at a time."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Final

from contract import keys
from contract.errors import AlreadyRunning, StoreRefused, StoreUnavailable
from contract.link import Link
from contract.scripts import Script
from producers.exclusive.scope import Scope

_LUA = Path(__file__).parent / "lua"
TAKE = Script(_LUA / "lock_take.lua")
RENEW = Script(_LUA / "lock_renew.lua")
RELEASE = Script(_LUA / "lock_release.lua")

_TIMEOUT_S = 5.0
_AT_ONCE_S = 1.0
_FIRST_TERM_S = 10.0
_CERTAIN = 0.99
"""The part of the term that is counted on: clocks drift, here and at the server, by much less than the rest."""

# Unlike the monotonic clock this one also counts while the machine sleeps, and so does Redis' clock elsewhere.
_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Grant:
    """One taking of a lock for `ttl_s` seconds at a time. Verbs that ask Redis raise StoreUnavailable and StoreRefused.

    A process that dies while it holds one leaves it behind for `ttl_s`.
    """

    def __init__(self, url: str, scope: Scope, ttl_s: float, run_id: str | None) -> None:
        """Connects to nothing yet."""
        self._url = url
        self._link = Link(url, name="runtally-lock", timeout_s=_TIMEOUT_S)
        self._one_at_a_time = threading.Lock()
        self._scope = scope
        self._keys = [scope.key, keys.LOCKS_HELD]
        self._ttl_s = ttl_s
        self._run_id = run_id
        self._token = token_hex(16)
        self._ends_s = 0.0
        self._asked = False

    def take(self) -> int:
        """Become the holder; the fencing number. Raises AlreadyRunning.

        Taken for a short term and then prolonged: when the answer is lost, nobody holds it, and it must not stand for `ttl_s`.
        """
        import socket

        scope = self._scope
        told = {"operation": scope.operation, "run": self._run_id, "host": socket.gethostname(), "pid": os.getpid()}
        told |= {"stream": scope.stream, "client": scope.client}
        fields = [part for name, value in told.items() if value is not None for part in (name, value)]
        args = [self._token, _ms(min(self._ttl_s, _FIRST_TERM_S)), *fields]
        with self._one_at_a_time:
            self._link.open()
            self._asked = True
            granted, *rest = TAKE.run(self._link, [*self._keys, keys.LOCK_FENCE], args)
        if not granted:
            raise refusal(scope, *rest)
        if not self.renew():
            raise StoreUnavailable(f"the lock for {scope} was lost as soon as it was taken: Redis has lost or evicted it")
        return int(rest[0])

    def renew(self) -> bool:
        """Begin its time anew. False when it is gone or another's."""
        with self._one_at_a_time:
            self._link.open()
            asked_s = time.clock_gettime(_CLOCK)
            ours = bool(RENEW.run(self._link, self._keys, [self._token, _ms(self._ttl_s)]))
        self._ends_s = asked_s + self._ttl_s * _CERTAIN if ours else 0.0
        return ours

    def release(self) -> bool:
        """Give it back. False when it was gone or another's already. Asked again over a new connection, if one was lost meanwhile."""
        self._ends_s = 0.0
        with self._one_at_a_time:
            try:
                return self._release()
            except StoreUnavailable:
                return self._release()

    def _release(self) -> bool:
        self._link.open()
        return bool(RELEASE.run(self._link, self._keys, [self._token]))

    def release_at_once(self) -> None:
        """`release` for a signal's handler: over a connection of its own, and waiting for none of our locks, which the code that was
        interrupted may hold. Raises StoreUnavailable, StoreRefused."""
        link = Link(self._url, name="runtally-lock", timeout_s=_AT_ONCE_S)
        try:
            link.open()
            RELEASE.run(link, self._keys, [self._token])
        finally:
            link.close()

    def close(self) -> None:
        """Close the connection."""
        with self._one_at_a_time:
            self._link.close()

    def abandon(self) -> None:
        """After a failed taking: give back what may have been taken, as far as Redis can be asked. Raises nothing of Redis'."""
        with suppress(StoreUnavailable, StoreRefused), self._one_at_a_time:
            if self._asked:
                self._release()
        self.close()

    @property
    def remaining_s(self) -> float:
        """Seconds for which it is certainly ours; 0 or less when that is not known. Counted from before the last renewal was sent."""
        return self._ends_s - time.clock_gettime(_CLOCK)


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def refusal(scope: Scope, left_ms: int, age_ms: int, run: bytes, host: bytes, pid: bytes) -> AlreadyRunning:
    """What a refused taking raises, from what lock_take returned behind its 0."""
    age_s, where = age_ms / 1000, f"{host.decode()}, process {pid.decode()}"
    holder = f"run {run.decode()}" if run else "a run that told no ID"
    return AlreadyRunning(
        f"{scope} is already running: {holder}, for {age_s:,.0f} s, on {where}",
        run_id=run.decode() or None,
        host=host.decode(),
        pid=int(pid or 0),
        age_s=age_s,
        remaining_s=max(0, left_ms) / 1000,
    )
