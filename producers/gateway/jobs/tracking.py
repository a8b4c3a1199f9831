"""Each request about a job as one log line and one count."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

from producers.gateway.problem import Problem

if TYPE_CHECKING:
    from producers.gateway.access.caller import Caller
    from producers.gateway.context import Gateway

_log: Any = structlog.get_logger("runtally.gateway.jobs")


@contextmanager
def tracked(gateway: Gateway, caller: Caller, operation: str, **about: Any) -> Iterator[dict[str, Any]]:
    """Log the request when the block is left: `operation`, `outcome` (accepted, failed, or a refusal's code), `duration_ms`, `caller`, and
    what the block puts into the dictionary it gets (`run_id`, `client_id`, `event_type`).

    Counts `<operation>_accepted`, `_refused` and `_failed`, which is for the gateway's own part."""
    began_s = time.monotonic()
    outcome, counted = "failed", "failed"
    try:
        yield about
        outcome = counted = "accepted"
    except Problem as problem:
        outcome, counted = problem.code, "refused" if problem.status < 500 else "failed"
        raise
    finally:
        gateway.counters[f"{operation}_{counted}"] += 1
        told = {name: value for name, value in about.items() if value is not None}
        duration_ms = round((time.monotonic() - began_s) * 1000, 1)
        _log.info("job request", operation=operation, outcome=outcome, duration_ms=duration_ms, caller=caller.name, **told)
