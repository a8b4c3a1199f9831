"""Periodic work, at most once an interval for all workers, by the server's clock: ticks may pile up or come twice."""

from __future__ import annotations

from contract import keys
from contract.link import Link
from contract.settings import Settings

MAINTAIN_S = 60.0
"""How often what has had its time is forgotten."""

_SHORTEST_S = 1.0

_SLACK = 0.7
"""Part of the interval after which the next tick counts: ticks and clocks are not exact."""


def is_due(link: Link, name: str, interval_s: float) -> bool:
    """Whether this work's last turn, anywhere, began long enough ago; then it is taken to begin now.

    A worker that dies in its turn costs one interval. Raises StoreUnavailable, StoreRefused (a full Redis: the work waits).
    """
    return link.call("SET", keys.periodic(name), "1", "NX", "PX", max(1, int(interval_s * _SLACK * 1000))) is not None


def flush_interval_s(settings: Settings) -> float:
    """How often beat asks for a flush. With an interval of 0 one follows the other without a pause of more than this."""
    return max(_SHORTEST_S, settings.flush_interval_s)


def verify_interval_s(settings: Settings) -> float:
    """How often beat asks for a check; a day where there is to be none, when it does nothing."""
    return max(_SHORTEST_S, settings.verify_interval_s or 86_400.0)


def sweep_interval_s(settings: Settings) -> float:
    """How often silent runs are looked for: a tenth of the time after which a run counts as silent, a minute at most."""
    return min(MAINTAIN_S, max(_SHORTEST_S, settings.stale_after_s / 10))
