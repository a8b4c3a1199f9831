"""Values of metrics, normalised by type: one function a type. Each returns the value or raises ValueRejected with the reason.

The rules stand in docs/metrics.md. A reason is a clause that follows a metric's name: `is empty`, `is no number: 'abc'`.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal

from contract.errors import ValueRejected
from contract.shown import shown

MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)
MAX_TEXT_CHARS = 10_000
"""Longer texts are cut off here."""
MAX_DECIMAL = Decimal(10) ** 20
MAX_DECIMAL_PLACES = 60
"""Enough for the shortest form of any float above 1e-40; hostile exponents stop here."""

EXACT = Context(prec=150)
"""Sums of decimals within these bounds are exact in this context up to 10^70 of them; the default one rounds at 28 digits."""

_EXACT_FLOAT = 2**53
_MAX_NUMBER_CHARS = 200
_DAY = timedelta(days=1)

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_integer = re.compile(rf"[+-]?{_DIGITS}(?:\.0*)?", re.ASCII).fullmatch
_decimal = re.compile(rf"[+-]?(?:{_DIGITS}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{{1,3}})?", re.ASCII).fullmatch
_time = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d|\d{8}|\d{4}-?W\d\d-?\d|(?P<year>\d{4})-?(?P<day>\d{3}))[T ]"
    r"(?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d))?)?(?:[.,](?P<fraction>\d{1,30}))?(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
).fullmatch
_controls = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")


def to_integer(value: object) -> int:
    """An exact whole number from -2^63 to 2^63-1, from an int, a whole float or Decimal, or text such as `42`, `1,234`, `42.0`."""
    if isinstance(value, bool):
        raise ValueRejected(f"is a boolean, not a number: {value}")
    if isinstance(value, int):
        number = int(value)
    elif isinstance(value, str):
        number = _integer_from_text(value)
    elif isinstance(value, float):
        number = _integer_from_float(value)
    elif isinstance(value, Decimal):
        number = _whole(_bounded(value), value)
    else:
        raise _no_number(value)
    if not MIN_INTEGER <= number <= MAX_INTEGER:
        raise ValueRejected(f"does not fit 64 bits: {shown(value)}")
    return number


def to_decimal(value: object) -> Decimal:
    """An exact decimal below 10^20 with at most 60 places, from an int, a float (its shortest form), a Decimal, or text.

    Text may have thousands grouped by commas, and an exponent. A positive exponent is written out, a negative zero is zero.
    """
    if isinstance(value, bool):
        raise ValueRejected(f"is a boolean, not a number: {value}")
    if isinstance(value, Decimal):
        return _bounded(value)
    if isinstance(value, int):
        if abs(value) >= MAX_DECIMAL:
            raise ValueRejected(f"is too large: {shown(value)}")
        return Decimal(int(value))
    if isinstance(value, float):
        return _bounded(Decimal(float.__repr__(value)))
    if isinstance(value, str):
        return _bounded(Decimal(_number_text(value, _decimal(value.strip())).replace(",", "")))
    raise _no_number(value)


def to_datetime_text(value: object) -> str:
    """A moment as `YYYY-MM-DDTHH:MM:SS.ffffffZ`, UTC: of fixed width, so that the order of the texts is the order of the moments.

    From an ISO 8601 date with a time of day, or a datetime. Without a zone it is taken as UTC. Digits past microseconds are cut off.
    """
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str):
        moment = _moment(value)
    else:
        raise ValueRejected(f"is no ISO 8601 time: {shown(value)}" if value is not None else "is null")
    try:
        utc = moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueRejected(f"is outside the years 1 to 9999 in UTC: {shown(value)}") from None
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def to_text(value: object) -> str:
    """Text without surrounding space, not empty, its first 10,000 characters; an integer as its digits.

    Control characters other than tab and line ends are dropped, halves of surrogate pairs become `?`: stores refuse both.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(to_integer(value))
    if not isinstance(value, str):
        raise ValueRejected(f"is no text: {shown(value)}" if value is not None else "is null")
    text = value[: 2 * MAX_TEXT_CHARS].strip()
    if not text.isprintable():
        text = _controls.sub("", text.encode(errors="replace").decode()).strip()
    if not text:
        raise ValueRejected("is empty")
    return text[:MAX_TEXT_CHARS]


def _integer_from_text(value: str) -> int:
    text = value.strip()
    if not _integer(text) and len(text) <= _MAX_NUMBER_CHARS and _decimal(text):
        return _whole(to_decimal(text), value)
    return int(_number_text(value, _integer(text)).replace(",", "").partition(".")[0])


def _integer_from_float(value: float) -> int:
    if not math.isfinite(value):
        raise ValueRejected(f"is not finite: {value}")
    if value != int(value):
        raise ValueRejected(f"is a fraction, not a whole number: {value}")
    if abs(value) > _EXACT_FLOAT:
        raise ValueRejected(f"is a float too large to be exact, send an integer: {value}")
    return int(value)


def _number_text(value: str, found: re.Match[str] | None) -> str:
    """The text of a well-formed number; else the reason why it is none."""
    if not value.strip():
        raise ValueRejected("is empty")
    if len(value) > _MAX_NUMBER_CHARS:
        raise ValueRejected(f"has too many characters for a number: {shown(value)}")
    if found is None:
        raise _no_number(value)
    return found[0]


def _bounded(number: Decimal) -> Decimal:
    if not number.is_finite():
        raise ValueRejected(f"is not finite: {number}" if len(str(number)) < 20 else "is not finite")
    if not number:
        return Decimal(0)
    exponent = int(number.as_tuple().exponent)
    if number.adjusted() >= 20 or exponent < -MAX_DECIMAL_PLACES:
        raise ValueRejected(f"is out of range (below 10^20, at most {MAX_DECIMAL_PLACES} places): {shown(str(number))}")
    return number.quantize(Decimal(1), context=EXACT) if exponent > 0 else number


def _whole(number: Decimal, value: object) -> int:
    if number != number.to_integral_value(context=EXACT):
        raise ValueRejected(f"is a fraction, not a whole number: {shown(value)}")
    return int(number)


def _moment(value: str) -> datetime:
    text = value.strip()[:100].upper()
    if not text:
        raise ValueRejected("is empty")
    found = _time(text)
    if found is None:
        raise ValueRejected(f"is no ISO 8601 date with a time of day: {shown(value)}")
    try:
        return _put_together(found)
    except (ValueError, OverflowError):
        raise ValueRejected(f"is no date and time that exists: {shown(value)}") from None


def _put_together(found: re.Match[str]) -> datetime:
    """The moment of an ISO 8601 text's parts. Raises ValueError or OverflowError when there is none.

    An ordinal date and the midnight that ends a day (24:00) are put together here: Python 3.11 reads neither."""
    first = _date(found)
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    if minute > 59 or second > 59:
        raise ValueError("no time of day")
    unit_us = 1_000_000 if found["second"] else 60_000_000 if found["minute"] else 3_600_000_000
    digits = found["fraction"] or "0"
    of_day = timedelta(hours=hour, minutes=minute, seconds=second, microseconds=int(digits) * unit_us // 10 ** len(digits))
    if of_day >= _DAY and (of_day > _DAY or hour > 24):
        raise ValueError("no time of day")
    return datetime.fromisoformat(f"{first.isoformat()}T00:00:00{found['zone'] or ''}") + of_day


def _date(found: re.Match[str]) -> date:
    if found["day"] is None:
        return date.fromisoformat(found["date"])
    first = date(int(found["year"]), 1, 1)
    day = first + timedelta(days=int(found["day"]) - 1)
    if day.year != first.year:
        raise ValueError("no day of that year")
    return day


def _no_number(value: object) -> ValueRejected:
    return ValueRejected("is null" if value is None else f"is no number: {shown(value)}")
