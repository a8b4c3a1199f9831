"""Run IDs: parsing, checking, converting and making them. Nothing else takes a run ID apart (spec §3, docs/run-ids.md).

Standard form: `YYMMDD-HHMMSS`, UTC, the years 2000 to 2099; for a client run `YYMMDD-HHMMSS-<Client ID>`. The client ID is
everything after the base, verbatim but for surrounding space: hyphens, spaces, `{}`, `*`, `:` and any script are allowed.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import cast

from contract.errors import RunIdConflict, RunIdInvalid
from contract.run_id_legacy import read_legacy
from contract.run_id_local import LocalIds
from contract.run_id_value import MAX_CLIENT_CHARS, Format, RunId, client_fault, from_datetime, invalid, to_datetime
from contract.shown import shown

__all__ = [
    "MAX_CLIENT_CHARS",
    "Format",
    "LocalIds",
    "RunId",
    "client_matches",
    "convert",
    "from_datetime",
    "is_valid",
    "parse",
    "require",
    "with_client",
]

MAX_CHARS = 1_000
"""A longer text is no run ID in any format: it is not even looked at."""

_FORMS = "use YYMMDD-HHMMSS in UTC, with -<Client ID> for a client run (250930-141522-Jane-Doe)"

_standard = re.compile(r"([0-9]{6}-[0-9]{6})(?:-(.*))?", re.DOTALL).fullmatch
_apify_suffix = re.compile(r"apify-([0-9a-z]{17})(?:\.0)?", re.IGNORECASE | re.ASCII).fullmatch


def parse(value: object) -> RunId:
    """What a run ID says; its `format` is INVALID, with a `reason`, if it is none. Never raises, whatever it is given.

    Text only: numbers, bytes, None and other objects are invalid, since none of them is written in a run ID's format. An
    aware datetime is read as its ISO form, and a RunId is returned as it is. A spreadsheet's trailing `.0` is dropped
    where no client stands before it: a client ID keeps it, for `v1` and `v1.0` may be two clients.
    """
    kind = type(value)  # isinstance would ask the object itself, which may lie or raise
    if issubclass(kind, str):
        text = str.__str__(value)
        if len(text) > MAX_CHARS:
            return invalid(text[:MAX_CHARS], f"it has {len(text)} characters, more than {MAX_CHARS}")
        return _parse_text(text)
    if issubclass(kind, RunId):
        return cast(RunId, value)
    if issubclass(kind, datetime):
        return _parse_datetime(cast(datetime, value))
    return invalid(shown(value), f"it is of type {kind.__name__}, not text")


# Event after event names the same few runs: the cache makes that a dictionary look-up. 4,096 IDs of 1,000 characters at most.
@lru_cache(maxsize=4096)
def _parse_text(original: str) -> RunId:
    text = original.strip()
    found = _standard(text)
    if found:
        return _parse_standard(original, found[1], found[2])
    if not text:
        return invalid(original, "it is empty")
    # As written first: a client ID may end in `.0`.
    return read_legacy(original, text) or _parse_spreadsheet(original, text) or invalid(original, "it is in no known format")


def _parse_spreadsheet(original: str, text: str) -> RunId | None:
    """An ID that a spreadsheet took for a number and gave a trailing `.0`."""
    number = text.removesuffix(".0")
    if number == text:
        return None
    if _standard(number):
        return _parse_standard(original, number, None)
    return read_legacy(original, number)


def _parse_standard(original: str, base: str, client: str | None) -> RunId:
    try:
        to_datetime(base)
    except ValueError:
        return invalid(original, f"there is no date and time {base}")
    if client is None:
        return RunId(Format.STANDARD, original, base)
    client = client.strip()
    suffix = _apify_suffix(client)
    if suffix:
        return RunId(Format.APIFY_SUFFIXED, original, base, external_id=suffix[1])
    fault = client_fault(client)
    return invalid(original, f"the client ID {fault}") if fault else RunId(Format.STANDARD, original, base, client)


def _parse_datetime(time: datetime) -> RunId:
    try:
        return RunId(Format.ISO, time.isoformat(), from_datetime(time))
    except RunIdInvalid as error:
        return invalid(shown(time), str(error))
    except Exception:  # noqa: BLE001  # a foreign tzinfo may raise anything
        return invalid(shown(time), "its time zone cannot be read")


def require(value: object) -> RunId:
    """Like `parse`, for those who need a standard form. Raises RunIdInvalid, which says what is wrong and what to do."""
    run_id = parse(value)
    if not run_id.valid:
        raise RunIdInvalid(f"{shown(run_id.original)} cannot be used as a run ID: {run_id.reason}; {_FORMS}")
    return run_id


def convert(value: object) -> str:
    """The standard form of a run ID in any format that has one. Raises RunIdInvalid."""
    run_id = require(value)
    return f"{run_id.base}-{run_id.client}" if run_id.client else str(run_id.base)


def is_valid(value: object) -> bool:
    """True if the value has a standard form. Never raises."""
    return parse(value).valid


def with_client(run_id: object, client: str) -> str:
    """The row ID of a client in a run; an ID that names this client already is returned in its standard form.

    Raises RunIdConflict if the ID names another client, RunIdInvalid if the ID has no standard form or the client ID is
    empty, longer than 200 characters, or holds control characters or lone surrogates. Surrounding space is dropped.
    """
    run = require(run_id)
    fault = client_fault(client)
    if fault:
        raise RunIdInvalid(f"the client ID {fault}; use a text of 1 to {MAX_CLIENT_CHARS} characters in one line")
    client = client.strip()
    if run.client not in (None, client):
        raise RunIdConflict(
            f"the run ID {shown(run.standard)} belongs to client {shown(run.client)}, not to {shown(client)}: "
            f"use the job's run ID {run.base}"
        )
    return f"{run.base}-{client}"


def client_matches(run_id: object, client: str) -> bool:
    """True if the ID names exactly this client: `Doe` does not match `250930-141522-Jane-Doe`. Never raises."""
    named = parse(run_id).client
    return named is not None and isinstance(client, str) and named == client.strip()
