"""The rolling run: one job for all that a kind of webhook brings in a UTC day, or hour."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from producers.gateway.context import Gateway

_SPANS = {"day": "%y%m%d", "hour": "%y%m%d-%H"}


async def run_at(gateway: Gateway, kind: str, at: datetime) -> str:
    """The run ID for an aware UTC time, the same on all machines; made by the first delivery of that span. Raises StoreUnavailable,
    StoreRefused."""
    span = at.strftime(_SPANS[gateway.settings.webhook_run])
    return await gateway.named_runs.run_id("webhook", f"{kind}:{span}", at=at)
