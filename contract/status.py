"""The four statuses and the mapping of whatever arrives to them (spec §2)."""

from __future__ import annotations

import re
from enum import StrEnum

from contract.errors import StatusUnknown
from contract.shown import shown


class Status(StrEnum):
    """The only values a row's status ever has, as they are written to Airtable."""

    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    NO_LEADS = "No Leads To Score"


# Keys are in lower case, without space, hyphen and underscore.
_PLAIN = {
    "running": Status.RUNNING,
    "inprogress": Status.RUNNING,
    "started": Status.RUNNING,
    "processing": Status.RUNNING,
    "pending": Status.RUNNING,
    "completed": Status.COMPLETED,
    "success": Status.COMPLETED,
    "succeeded": Status.COMPLETED,
    "done": Status.COMPLETED,
    "completedsuccessfully": Status.COMPLETED,
    "failed": Status.FAILED,
    "noleadstoscore": Status.NO_LEADS,
    "noleadstoprocess": Status.NO_LEADS,
    "skipped": Status.NO_LEADS,
}
_NOTED = {
    "completedwitherrors": Status.COMPLETED,
    "partial": Status.COMPLETED,
    "error": Status.FAILED,
    "timedout": Status.FAILED,
    "aborted": Status.FAILED,
    "canceled": Status.FAILED,
    "cancelled": Status.FAILED,
    "clienttimeoutkilled": Status.FAILED,
    "jobtimeoutkilled": Status.FAILED,
    "client/jobtimeoutkilled": Status.FAILED,
}
_ignored = re.compile(r"[\s_-]+")


def map_status(value: object) -> tuple[Status, str | None]:
    """One of the four statuses for what arrived, and a note where the word said more than the status does.

    The note is the arriving text itself (`Timed out`), or what follows `Failed:`; None where nothing is lost.
    Raises StatusUnknown for any other word and for what is no text: there is never a fifth value.
    """
    if not isinstance(value, str):
        raise StatusUnknown(f"{shown(value)} is no text, so no status; send {_WORDS}")
    head, colon, tail = value.partition(":")
    if colon and _squeezed(head) == "failed":
        return Status.FAILED, tail.strip() or None
    word = _squeezed(value)
    if word in _PLAIN:
        return _PLAIN[word], None
    if word in _NOTED:
        return _NOTED[word], value.strip()
    raise StatusUnknown(f"{shown(value)} is no status; send {_WORDS}")


_WORDS = ", ".join(Status) + " or `Failed: <why>`"


def _squeezed(text: str) -> str:
    return _ignored.sub("", text).lower()
