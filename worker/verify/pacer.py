"""A check leaves most of Airtable's limit to the flush: it sends its requests with pauses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")

PACE_S = 0.4
"""Least time from one request to the next: half of what the limit allows."""


class Pacer:
    """Lets one request after another through, `pace_s` apart at least."""

    def __init__(self, pace_s: float = PACE_S) -> None:
        self._pace_s = pace_s
        self._next_s = 0.0

    def wait(self) -> None:
        """Return when the next request may be sent, which it then is."""
        time.sleep(max(0.0, self._next_s - time.monotonic()))
        self._next_s = time.monotonic() + self._pace_s

    def paced(self, answers: Iterator[T]) -> Iterator[T]:
        """The answers of requests that are sent when they are asked for."""
        while True:
            self.wait()
            try:
                answer = next(answers)
            except StopIteration:
                return
            yield answer
