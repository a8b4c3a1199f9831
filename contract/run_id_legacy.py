"""The formats run IDs had before the standard one (spec §3): recognised and converted, nothing invented.

The fixed words of a format (`job_`, `stream`, `SR-`, `apify-`, `T`, `Z`) are read in either case; what they carry is verbatim.
Digits are ASCII digits. Years are 2000 to 2099, since the standard form has two digits for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from contract.errors import RunIdInvalid
from contract.run_id_value import Format, RunId, client_fault, from_datetime, invalid, to_datetime

_FLAGS = re.ASCII | re.IGNORECASE | re.DOTALL
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_JOB = re.compile(r"job_(?P<operation>\w+?)(?:_stream(?P<stream>.*?))?_(?:(?P<clock>\d{14})|(?P<epoch_ms>\d{13}))", _FLAGS)
_LOG_SESSION = re.compile(r"20(?P<day>\d{6})-(?P<clock>\d{6})(?:-(?P<sequence>\d{1,9}))?", _FLAGS)
_SR = re.compile(r"SR-(?P<day>\d{6})-(?P<sequence>\d{1,9})(?:-T(?P<task>\d{1,9}))?(?:-S(?P<stream>\d{1,9}))?(?:-C(?P<client>.*))?", _FLAGS)
_ISO = re.compile(r"\d{4}-?\d\d-?\d\d[T ]\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?", _FLAGS)
_EXTERNAL = re.compile(r"apify-(?P<id>[0-9a-z]{1,64})|(?P<bare>[0-9a-z]{17})", _FLAGS)
_PLACEHOLDER = re.compile(r"unknown|system|null|none|nan|undefined|n/a|\[object object\]", _FLAGS)
_TOKEN = re.compile(r"smart_resume_\w+", _FLAGS)

_Found = re.Match[str]


def _job(text: str, found: _Found) -> RunId:
    stream = found["stream"]
    if stream is not None and not (stream.isascii() and stream.isdigit() and len(stream) <= 9):
        return invalid(text, "the part after `stream` is not a number")
    if found["clock"]:
        shape, base = Format.STREAM_TIMESTAMP, f"{found['clock'][2:8]}-{found['clock'][8:]}"
        if not found["clock"].startswith("20"):
            return invalid(text, "the year is not 2000 to 2099")
        to_datetime(base)
    else:
        shape, base = Format.EPOCH_MS, from_datetime(_EPOCH + timedelta(milliseconds=int(found["epoch_ms"])))
    return RunId(shape, text, base, operation=found["operation"], stream=_number(stream))


def _log_session(text: str, found: _Found) -> RunId:
    base = f"{found['day']}-{found['clock']}"
    to_datetime(base)
    return RunId(Format.LOG_SESSION, text, base, sequence=_number(found["sequence"]))


def _sr(text: str, found: _Found) -> RunId:
    client = found["client"]
    if client is not None:
        client = client.strip()
        if fault := client_fault(client):
            return invalid(text, f"the client ID {fault}")
    return RunId(
        Format.LEGACY_SR,
        text,
        client=client,
        stream=_number(found["stream"]),
        sequence=_number(found["sequence"]),
        task=_number(found["task"]),
        date=to_datetime(f"{found['day']}-000000").date(),
        reason="a legacy SR number has no time of day, so it has no standard form",
    )


def _iso(text: str, found: _Found) -> RunId:
    if not found["zone"]:
        return invalid(text, "the time has no zone: add Z or an offset such as +02:00")
    return RunId(Format.ISO, text, from_datetime(datetime.fromisoformat(found[0].upper())))


def _external(text: str, found: _Found) -> RunId:
    reason = "it is the ID of an Apify run: the run ID is the one Runtally gave out when the job started"
    return RunId(Format.EXTERNAL, text, external_id=found["id"] or found["bare"], reason=reason)


def _placeholder(text: str, _found: _Found) -> RunId:
    return invalid(text, "it is a placeholder: the caller had no run ID")


def _token(text: str, _found: _Found) -> RunId:
    return invalid(text, "it is a request token: use the run ID that the request was answered with")


_READERS: tuple[tuple[re.Pattern[str], Callable[[str, _Found], RunId]], ...] = (
    (_JOB, _job),
    (_LOG_SESSION, _log_session),
    (_SR, _sr),
    (_ISO, _iso),
    (_PLACEHOLDER, _placeholder),
    (_TOKEN, _token),
    (_EXTERNAL, _external),
)


def read_legacy(original: str, text: str) -> RunId | None:
    """`text`, without surrounding space, as one of the legacy formats; None if it is in none of them.

    `original` is kept in the value. A recognised text that names no real time comes back as invalid. Never raises.
    """
    for pattern, read in _READERS:
        found = pattern.fullmatch(text)
        if found:
            try:
                return read(original, found)
            except RunIdInvalid as error:
                return invalid(original, str(error))
            except ValueError:
                return invalid(original, "there is no such date or time")
    return None


def _number(digits: str | None) -> int | None:
    return None if digits is None else int(digits)
