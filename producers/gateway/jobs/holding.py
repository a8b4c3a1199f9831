"""The lock of a job that was started over HTTP. Its token follows from the run ID, so that any gateway can renew and release it.

Nothing of it lives in a process: a gateway may end, and another one goes on. Same scripts and keys as `producers.exclusive`, so
both ways of starting a job exclude each other. Each verb is safe to repeat.
"""

from __future__ import annotations

import os
from hashlib import sha256

from contract import keys
from contract.link import Link
from producers.exclusive.grant import RELEASE, RENEW, TAKE, refusal
from producers.exclusive.scope import Scope


def token_of(run: str) -> str:
    """The token of a run's lock. Run IDs are reserved, so no other taking has the same."""
    return sha256(f"http job {run}".encode()).hexdigest()[:32]


def take(link: Link, scope: Scope, run: str, ttl_s: float, caller: str) -> int:
    """Become the holder for `ttl_s`; the fencing number. Taken again by the same run, its time begins anew and its number stays.

    `caller` is told to people who look at the locks. Raises AlreadyRunning, StoreUnavailable, StoreRefused."""
    told: dict[str, str | int | None] = {"operation": scope.operation, "run": run, "host": f"gateway for {caller}", "pid": os.getpid()}
    told |= {"stream": scope.stream, "client": scope.client}
    fields = [part for name, value in told.items() if value is not None for part in (name, value)]
    granted, *rest = TAKE.run(link, [scope.key, keys.LOCKS_HELD, keys.LOCK_FENCE], [token_of(run), _ms(ttl_s), *fields])
    if not granted:
        raise refusal(scope, *rest)
    return int(rest[0])


def renew(link: Link, scope: Scope, run: str, ttl_s: float) -> bool:
    """Begin its time anew. False when it is gone or another's. Raises StoreUnavailable, StoreRefused."""
    return bool(RENEW.run(link, [scope.key, keys.LOCKS_HELD], [token_of(run), _ms(ttl_s)]))


def release(link: Link, scope: Scope, run: str) -> bool:
    """Give it back. False when it was gone or another's already. Raises StoreUnavailable, StoreRefused."""
    return bool(RELEASE.run(link, [scope.key, keys.LOCKS_HELD], [token_of(run)]))


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))
