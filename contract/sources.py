"""The sources under which Runtally itself speaks. Their events have identities that follow from what they tell, so that a repeat counts
once: whoever else spoke as one of them could use such an identity up before the event comes. So nobody else may (`is_reserved`)."""

from __future__ import annotations

JOBS = "/gateway/jobs"
"""Requests about jobs."""

WEBHOOKS = "/webhooks"
"""Webhooks: below it the kind, such as `/webhooks/leads`."""

OPENLINEAGE = "/openlineage"
"""OpenLineage's events: below it the namespace."""

DEAD_LETTERS = "/dead-letters"
"""Dead letters sent again. Known by their ID alone, without the subject, which an edit may change."""

SWEEPER = "/sweeper"
"""Closes what is silent."""

VERIFY = "/verify"
"""Has rows counted anew."""

RESERVED = ("/gateway", WEBHOOKS, OPENLINEAGE, DEAD_LETTERS, SWEEPER, VERIFY)
"""Runtally's own, each with all that stands below it."""

_BELOW = tuple(f"{own}/" for own in RESERVED)


def is_reserved(source: str) -> bool:
    """Whether a source is Runtally's own."""
    return source in RESERVED or source.startswith(_BELOW)
