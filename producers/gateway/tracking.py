"""Requests that are tracked: one log line and one count of each."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog

from producers.gateway.problem import Problem

if TYPE_CHECKING:
    from producers.gateway.context import Gateway

_log: Any = structlog.get_logger("runtally.gateway")


@asynccontextmanager
async def track(gateway: Gateway, operation: str, **about: Any) -> AsyncIterator[dict[str, Any]]:
    """Log the request when the block is left: `operation`, `outcome` (accepted, failed, or a refusal's code), `duration_ms`, and the
    line, which the block may add to (`caller`, `run_id`, `client_id`, `event_type`); what is None is left out. Nothing for 429: whoever
    floods the gateway does not flood its log.

    Counts `<operation>_accepted`, `_refused` and `_failed`, which is for the gateway's own part."""
    began_s = time.monotonic()
    outcome, counted, flood = "failed", "failed", False
    try:
        yield about
        outcome = counted = "accepted"
    except Problem as problem:
        outcome, counted, flood = problem.code, "refused" if problem.status < 500 else "failed", problem.status == 429
        raise
    finally:
        gateway.counters[f"{operation}_{counted}"] += 1
        if not flood:
            told = {name: value for name, value in about.items() if value is not None}
            _log.info("request", operation=operation, outcome=outcome, duration_ms=round((time.monotonic() - began_s) * 1000, 1), **told)
