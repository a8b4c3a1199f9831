"""The four statuses and the mapping of whatever arrives to them (spec §2)."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The only values a row's status ever has, as they are written to Airtable."""

    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    NO_LEADS = "No Leads To Score"
