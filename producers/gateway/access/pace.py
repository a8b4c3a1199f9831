"""The pace of one caller: a token bucket (RFC 2697's committed rate and burst), in requests."""

from __future__ import annotations


class Pace:
    """`per_s` requests a second in the long run, and two seconds' worth at once."""

    def __init__(self, per_s: float, now_s: float) -> None:
        self._per_s = per_s
        self._most = max(1.0, per_s * 2)
        self._left = self._most
        self._at_s = now_s

    def take(self, now_s: float) -> float:
        """0 if a request may pass, which is counted then; else the seconds until one may."""
        self._left = min(self._most, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._per_s
