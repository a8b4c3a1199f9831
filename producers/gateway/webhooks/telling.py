"""What a delivery of leads or profiles tells the log: the same events, with the same identities, at every repeat.

Each delivery completes its client's run, with its own numbers as observations: completions add up, and no row is left Running.
"""

from __future__ import annotations

from typing import Any

from contract import run_id as run_ids
from contract.events import EventType, encode_event
from contract.sources import WEBHOOKS
from producers.gateway.entry import Entry
from producers.gateway.webhooks.receipts import Receipt


def source_of(kind: str) -> str:
    """The source of the events of a kind."""
    return f"{WEBHOOKS}/{kind}"


def told(kind: str, digest: str, receipt: Receipt) -> Entry:
    """The event with the delivery's numbers. Profiles count as leads: a profile is a lead's, and the registry has no nearer metric."""
    data: dict[str, Any] = {
        "success": True,
        "metrics": {"leads_processed": receipt.received, "leads_skipped": receipt.skipped, "errors": receipt.failed},
    }
    if receipt.skips:
        data["skips"] = receipt.skips
    if receipt.error is not None:
        data["error"] = receipt.error
    return _entry(kind, receipt, EventType.CLIENT_COMPLETED, digest, data, client=True)


def announcements(kind: str, receipt: Receipt) -> list[Entry]:
    """The job's start and completion and the client's start: the same for all deliveries of a client in a run, so they count once.

    The job is completed from the start: it is Running only while a client's run is."""
    run, client = receipt.run, receipt.client
    return [
        _entry(kind, receipt, EventType.JOB_STARTED, f"{run}:started", {"job_type": f"webhook_{kind}"}, client=False),
        _entry(kind, receipt, EventType.CLIENT_STARTED, f"{run}:started:{client}", {}, client=True),
        _entry(kind, receipt, EventType.JOB_COMPLETED, f"{run}:completed", {"success": True}, client=False),
    ]


def _entry(kind: str, receipt: Receipt, event: EventType, event_id: str, data: dict[str, Any], *, client: bool) -> Entry:
    subject = run_ids.with_client(receipt.run, receipt.client) if client else receipt.run
    body = encode_event(id=event_id, source=source_of(kind), type=event, subject=subject, time=receipt.at, sequence=None, data=data)
    return Entry(receipt.run, body)
