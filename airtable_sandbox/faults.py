"""Faults on order: what goes wrong, how often, for which calls, and whether before or after the call is applied."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Kind = Literal["status", "reset", "latency", "hang", "garbage"]
When = Literal["before", "after"]
STATUSES = (429, 500, 502, 503)


@dataclass(frozen=True)
class Fault:
    """One fault.

    `status` answers with `status` (with `retry_after_s` as Retry-After if given), `reset` cuts the connection without an answer,
    `hang` never answers, `garbage` answers 200 with a body that is no JSON, `latency` waits `latency_ms` and goes on.
    `before` leaves the call unapplied (latency: applied late), `after` applies it first. `count` is how often it strikes, None
    for ever; `method` and `path` (a part of the path) limit the calls it strikes. `seed` throws the dice of all faults anew.
    """

    kind: Kind
    when: When = "before"
    probability: float = 1.0
    count: int | None = None
    method: str | None = None
    path: str | None = None
    status: int = 503
    latency_ms: float = 0.0
    retry_after_s: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError or TypeError for a fault that cannot be made."""
        if self.kind not in get_args(Kind) or self.when not in get_args(When):
            raise ValueError(f"kind must be one of {get_args(Kind)} and when one of {get_args(When)}")
        if self.kind == "status" and self.status not in STATUSES:
            raise ValueError(f"status must be one of {STATUSES}")
        if not isinstance(self.method, str | None) or not isinstance(self.path, str | None):
            raise TypeError("method and path must be texts")
        if not 0 <= self.probability <= 1 or self.latency_ms < 0 or (self.count is not None and self.count < 1):
            raise ValueError("probability is from 0 to 1, latency_ms from 0, count from 1")


class FaultBox:
    """The faults in force. `seed` makes the dice repeatable."""

    def __init__(self, seed: int = 0) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - faults need no secrecy
        self._struck: list[tuple[Fault, int]] = []

    def add(self, fault: Fault) -> None:
        self._struck.append((fault, 0))
        if fault.seed is not None:
            self._dice.seed(fault.seed)

    def clear(self) -> None:
        self._struck.clear()

    def strike(self, method: str, path: str) -> list[Fault]:
        """The faults that strike this call: any latencies, and at most one of the others (the one added first)."""
        striking: list[Fault] = []
        for at, (fault, struck) in enumerate(self._struck):
            taken = fault.kind != "latency" and any(other.kind != "latency" for other in striking)
            if not taken and self._strikes(fault, struck, method, path):
                striking.append(fault)
                self._struck[at] = (fault, struck + 1)
        return striking

    def _strikes(self, fault: Fault, struck: int, method: str, path: str) -> bool:
        meant = fault.method in {None, method} and (fault.path is None or fault.path in path)
        return meant and (fault.count is None or struck < fault.count) and self._dice.random() < fault.probability

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(fault) | {"struck": struck} for fault, struck in self._struck]
