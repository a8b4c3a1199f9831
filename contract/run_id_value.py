"""What a run ID says, as an immutable value, and the two rules every format shares: the calendar and the client's text.

Read through `contract.run_id`; the recognisers of the legacy formats are in `contract.run_id_legacy`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from contract.errors import RunIdInvalid
from contract.shown import shown

MAX_CLIENT_CHARS = 200
"""The longest client ID. Row IDs are keys in Redis and in Airtable; a longer text is no ID but an accident."""

_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search
_APIFY = re.compile(r"apify-[0-9a-z]{17}(?:\.0)?", re.ASCII | re.IGNORECASE).fullmatch


class Format(StrEnum):
    """How a run ID was written (spec §3). The last three have no standard form."""

    STANDARD = "standard"
    STREAM_TIMESTAMP = "stream_timestamp"
    EPOCH_MS = "epoch_ms"
    APIFY_SUFFIXED = "apify_suffixed"
    LOG_SESSION = "log_session"
    ISO = "iso"
    LEGACY_SR = "legacy_sr"
    EXTERNAL = "external"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class RunId:
    """One run ID, read. What its format does not say is None, never invented.

    `base`: the standard form without client, UTC; None for a format that has none. `client`: verbatim.
    `original`: the text as it arrived (a value that is no text: its shortened repr; a text above 1,000 characters: its start).
    `external_id`: somebody else's ID for the run. `stream`, `sequence`, `task`: numbers. `operation`: as written in the ID.
    `date`: the day, for the legacy SR format, which has no time of day. `reason`: why there is no standard form, "" if there is.
    """

    format: Format
    original: str
    base: str | None = None
    client: str | None = None
    stream: int | None = None
    operation: str | None = None
    external_id: str | None = None
    sequence: int | None = None
    task: int | None = None
    date: date | None = None
    reason: str = ""

    @property
    def valid(self) -> bool:
        """True when there is a standard form."""
        return self.base is not None

    @property
    def standard(self) -> str | None:
        """The row ID: the base, or base and client. None when there is no standard form."""
        return f"{self.base}-{self.client}" if self.base and self.client else self.base

    @property
    def started_at(self) -> datetime | None:
        """The time the base tells, aware, in UTC, to the second. None when there is no standard form."""
        return to_datetime(self.base) if self.base else None


def invalid(original: str, reason: str) -> RunId:
    """A run ID that is none, and why."""
    return RunId(Format.INVALID, original, reason=reason)


def to_datetime(base: str) -> datetime:
    """The time a base tells, aware, in UTC. Raises ValueError for a time that does not exist."""
    year, month, day = 2000 + int(base[0:2]), int(base[2:4]), int(base[4:6])
    return datetime(year, month, day, int(base[7:9]), int(base[9:11]), int(base[11:13]), tzinfo=UTC)


def from_datetime(time: datetime) -> str:
    """The base of a run that started at an aware time: `YYMMDD-HHMMSS` in UTC, fractions of a second cut off.

    Raises RunIdInvalid for a time without a zone, and outside 2000 to 2099, where two digits would name another year.
    """
    if time.utcoffset() is None:
        raise RunIdInvalid(f"{shown(time.isoformat())} has no time zone: use an aware datetime, such as datetime.now(UTC)")
    try:
        utc = time.astimezone(UTC)
    except OverflowError:
        utc = time.replace(tzinfo=UTC)  # only years 1 and 9999 overflow: refused below
    if not 2000 <= utc.year <= 2099:
        raise RunIdInvalid(f"the year {utc.year} does not fit a run ID: its two digits stand for 2000 to 2099")
    return f"{utc:%y%m%d-%H%M%S}"


def client_fault(client: object) -> str:
    """What is wrong with a client ID, to follow the words "the client ID"; "" if nothing is. Surrounding space is dropped elsewhere."""
    if not (issubclass(type(client), str) and isinstance(client, str)):
        return f"is {shown(client)}, not text"
    if not client or client.isspace():
        return "is empty"
    if len(client) > MAX_CLIENT_CHARS:
        return f"has {len(client)} characters, more than {MAX_CLIENT_CHARS}"
    if _FORBIDDEN(client):
        return f"{shown(client)} holds a control character or half of a surrogate pair"
    if _APIFY(client.strip()):
        return f"{shown(client)} is what an Apify run ID looks like behind a run ID: it could not be read back as a client"
    return ""
