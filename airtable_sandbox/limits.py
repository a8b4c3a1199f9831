"""Airtable's limits: calls in a sliding second for a base and for a token, the lockout after too many, calls in a month."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from airtable_sandbox import errors
from airtable_sandbox.storage import Storage

_TOKEN = ""  # the window of the whole token; no base has this ID


@dataclass
class Limits:
    """What is allowed. Changing a value takes effect with the next call."""

    calls_per_s: int = 5
    token_calls_per_s: int = 50
    lockout_s: float = 30.0
    calls_per_month: int | None = None
    body_bytes: int = 10_000_000
    url_characters: int = 16_000


@dataclass
class _Window:
    """Calls let through in the last second, oldest first, and until when everything is refused (monotonic seconds)."""

    calls: deque[float] = field(default_factory=deque)
    locked_until: float = 0.0


class Limiter:
    """Lets calls through or refuses them. One call over the rate locks the base, or the token, for `lockout_s`; refused calls
    neither lengthen that nor count."""

    def __init__(self, limits: Limits, storage: Storage, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._storage = storage
        self._clock = clock
        self._windows: dict[str, _Window] = {}
        self.lockouts = 0

    def admit(self, base_id: str | None) -> None:
        """Counts a call of this base, None for a call of none. Raises ApiError 429."""
        now = self._clock()
        self._admit(_TOKEN, self.limits.token_calls_per_s, now)
        if base_id is not None:
            self._admit(base_id, self.limits.calls_per_s, now)

    def spend(self) -> None:
        """Takes one call off the month's budget, when there is one. Raises ApiError 429 when it is spent."""
        if self.limits.calls_per_month is None:
            return
        month = f"{datetime.now(UTC):%Y-%m}"
        with self._storage.transaction():
            self._storage.write("INSERT INTO months (month, calls) VALUES (?, 0) ON CONFLICT DO NOTHING", (month,))
            sql = "UPDATE months SET calls = calls + 1 WHERE month = ? AND calls < ?"
            if not self._storage.write(sql, (month, self.limits.calls_per_month)):
                raise errors.month_spent()

    def reset(self) -> None:
        """Forgets every window, lockout and month."""
        self._windows.clear()
        self.lockouts = 0
        with self._storage.transaction():
            self._storage.write("DELETE FROM months")

    def _admit(self, key: str, calls_per_s: int, now: float) -> None:
        window = self._windows.setdefault(key, _Window())
        if now < window.locked_until:
            raise errors.rate_limited()
        while window.calls and window.calls[0] <= now - 1.0:
            window.calls.popleft()
        if len(window.calls) >= calls_per_s:
            window.locked_until = now + self.limits.lockout_s
            self.lockouts += 1
            raise errors.rate_limited()
        window.calls.append(now)
