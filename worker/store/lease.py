"""A lease: one owner at a time, for as long as it renews. Keeps workers out of each other's way.

Correctness never rests on it alone, since an owner can be frozen past its end: the commit compares offsets, and the flush
marks rows dirty again when it finds its lease gone.
"""

from __future__ import annotations

import secrets
import time
from typing import Final

from contract.link import Link
from worker.store.scripts import Script

_TAKE = Script("lease_take")
_RENEW = Script("lease_renew")
_RELEASE = Script("lease_release")

# Unlike the monotonic clock this one also counts while the machine sleeps, and so does Redis' clock elsewhere.
_BOOT_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _now_s() -> float:
    return time.clock_gettime(_BOOT_CLOCK)


class Lease:
    """A lease of `ttl_s` seconds on `key`. An owner that dies frees it by not renewing: nothing else is left behind.

    Methods that ask Redis raise StoreUnavailable and StoreRefused; the lease then counts as unrenewed, not as lost.
    """

    def __init__(self, link: Link, key: str, ttl_s: float) -> None:
        self._link = link
        self._key = key
        self._ttl_s = ttl_s
        self._token = secrets.token_hex(16)
        self._ends_s = 0.0
        self._epoch = 0

    def take(self) -> bool:
        """Become the owner, unless somebody is (then False)."""
        asked_s, epoch = _now_s(), self._link.epoch
        taken = int(_TAKE.run(self._link, [self._key], [self._token, self._ttl_ms])) == 1
        self._set(taken, asked_s, epoch)
        return taken

    def renew(self) -> bool:
        """Begin the lease's time anew. False when it is no longer ours: somebody else may be at work."""
        asked_s, epoch = _now_s(), self._link.epoch
        ours = int(_RENEW.run(self._link, [self._key], [self._token, self._ttl_ms])) == 1
        self._set(ours, asked_s, epoch)
        return ours

    def release(self) -> None:
        """Give it back, if it is still ours. Not needed for correctness: it would end by itself."""
        self._ends_s = 0.0
        _RELEASE.run(self._link, [self._key], [self._token])

    def remaining_s(self) -> float:
        """Seconds for which it is certainly ours, 0 or less when that is not known. Asks nobody.

        Counted from before the last renewal was sent, so it ends here no later than in Redis; and 0 after a reconnect,
        since the server may have lost what it promised on the connection before.
        """
        if self._link.epoch != self._epoch:
            return 0.0
        return self._ends_s - _now_s()

    def covers(self, span_s: float) -> bool:
        """True when it stays ours for `span_s` from now, renewing it in time: at half its life, or when `span_s` asks for it."""
        if self.remaining_s() > max(span_s, self._ttl_s / 2):
            return True
        return self.renew() and self.remaining_s() > span_s

    @property
    def _ttl_ms(self) -> int:
        return int(self._ttl_s * 1000)

    def _set(self, ours: bool, asked_s: float, epoch: int) -> None:
        self._ends_s = asked_s + self._ttl_s if ours else 0.0
        self._epoch = epoch
