"""Dates and times: what Airtable accepts as text and how it writes them back. Everything is UTC inside."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, tzinfo

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?\s*(Z|z|[+-]\d{2}:?\d{2})?)?")


def parse_moment(text: str, zone: tzinfo = UTC) -> datetime | None:
    """An ISO 8601 date or time as UTC, cut to milliseconds; None for anything else. Without a zone of its own it is in `zone`."""
    text = text.strip()
    if not _ISO.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" +", "+").replace(" Z", "Z").replace("z", "Z").replace(",", "."))
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def format_moment(moment: datetime) -> str:
    """`2025-09-30T14:15:22.000Z`, as every Airtable answer writes a time."""
    utc = moment.astimezone(UTC)
    return f"{utc.year:04d}-{utc.month:02d}-{utc.day:02d}T{utc:%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def parse_date(text: str) -> date | None:
    """The day of an ISO date or time; None for anything else."""
    moment = parse_moment(text)
    return None if moment is None else moment.date()


def from_epoch(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
