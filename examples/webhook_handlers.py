"""Your own code for what webhooks bring: `RUNTALLY_HANDLERS=examples.webhook_handlers runtally web`."""

from __future__ import annotations

from typing import Any

from producers.gateway.handlers import Skip, on_leads, on_profiles

SAVED: dict[tuple[str, str], dict[str, Any]] = {}
"""Stands for your database: (client, e-mail address) -> lead."""


@on_leads
def take_lead(client_id: str, lead: dict[str, Any]) -> None:
    """Save the lead. A plain function, so it may wait for a database: it runs in a thread.

    A delivery may come twice if the gateway dies midway: saving by a key makes that harmless."""
    if not lead.get("email"):
        raise Skip("NO_CONTENT")
    SAVED[client_id, lead["email"]] = lead


@on_profiles
async def take_profile(client_id: str, profile: dict[str, Any]) -> None:
    """Update a lead that is there. KeyError otherwise: the item counts as failed, and the error details say which."""
    SAVED[client_id, profile["email"]].update(profile)
