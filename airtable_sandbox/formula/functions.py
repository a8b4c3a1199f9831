"""The functions of the formula language that take values. Those that decide what to evaluate are in evaluate.py."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime

from airtable_sandbox.formula.values import FormulaFailed, Value, as_moment, as_number, as_text, keeps

ANY = 1_000
_SECONDS = {"milliseconds": 0.001, "seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400, "weeks": 604_800}
_SHORT = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _and(*values: Value) -> Value:
    return all(keeps(value) for value in values)


def _or(*values: Value) -> Value:
    return any(keeps(value) for value in values)


def _xor(*values: Value) -> Value:
    return sum(keeps(value) for value in values) % 2 == 1


def _not(value: Value) -> Value:
    return not keeps(value)


def _find(wanted: Value, text: Value, start: Value = None) -> Value:
    """1 for the first place, 0 when it is not there."""
    return float(as_text(text).find(as_text(wanted), max(int(as_number(start)) - 1, 0)) + 1)


def _search(wanted: Value, text: Value, start: Value = None) -> Value:
    """As FIND, without regard to case, and blank when it is not there."""
    at = _find(as_text(wanted).lower(), as_text(text).lower(), start)
    return at or None


def _value(text: Value) -> Value:
    found = re.fullmatch(r"\s*[^\d.+-]*([+-]?\d*\.?\d+)\s*(%?)\s*", as_text(text).replace(",", ""))
    if found is None:
        raise FormulaFailed("not a number")
    return float(found[1]) / (100 if found[2] else 1)


def _datetime_diff(later: Value, earlier: Value, unit: Value = "milliseconds") -> Value:
    """NaN when either is blank, whole units otherwise, cut towards zero."""
    first, second = as_moment(later), as_moment(earlier)
    name = as_text(unit).lower()
    name = _SHORT.get(name, name)
    size = _SECONDS.get(name) or _SECONDS.get(name + "s")
    if size is None:
        raise FormulaFailed("unknown unit")
    if first is None or second is None:
        return math.nan
    return float(math.trunc(round((first - second).total_seconds() / size, 6)))


def _ordered(left: Value, right: Value, holds: Callable[[datetime, datetime], bool]) -> bool:
    first, second = as_moment(left), as_moment(right)
    return first is not None and second is not None and holds(first, second)


def _is_after(left: Value, right: Value) -> Value:
    return _ordered(left, right, lambda one, other: one > other)


def _is_before(left: Value, right: Value) -> Value:
    return _ordered(left, right, lambda one, other: one < other)


def _is_same(left: Value, right: Value, unit: Value = None) -> Value:
    """Only the units that a comparison here needs: none (to the millisecond) and 'day'."""
    day = as_text(unit).lower() in {"day", "days"}
    return _ordered(left, right, lambda one, other: one.date() == other.date() if day else one == other)


def _round(number: Value, digits: Value = None) -> Value:
    """Half away from zero, as JavaScript users expect."""
    scale = 10.0 ** int(as_number(digits))
    scaled = as_number(number) * scale
    return math.copysign(math.floor(abs(scaled) + 0.5), scaled) / scale


def _divided(number: Value, by: Value) -> Value:
    return math.fmod(as_number(number), as_number(by)) if as_number(by) else math.nan


def _numbers(values: Sequence[Value]) -> list[float]:
    return [as_number(value) for value in values if value is not None]


FUNCTIONS: dict[str, tuple[int, int, Callable[..., Value]]] = {
    "ABS": (1, 1, lambda value: abs(as_number(value))),
    "AND": (1, ANY, _and),
    "BLANK": (0, 0, lambda: None),
    "CONCATENATE": (1, ANY, lambda *values: "".join(as_text(value) for value in values)),
    "DATETIME_DIFF": (2, 3, _datetime_diff),
    "DATETIME_PARSE": (1, 3, lambda text, *_: as_moment(text)),
    "EXACT": (2, 2, lambda one, other: as_text(one) == as_text(other)),
    "FALSE": (0, 0, lambda: False),
    "FIND": (2, 3, _find),
    "INT": (1, 1, lambda value: float(math.floor(as_number(value)))),
    "IS_AFTER": (2, 2, _is_after),
    "IS_BEFORE": (2, 2, _is_before),
    "IS_SAME": (2, 3, _is_same),
    "LEFT": (2, 2, lambda text, count: as_text(text)[: int(as_number(count))]),
    "LEN": (1, 1, lambda text: float(len(as_text(text)))),
    "LOWER": (1, 1, lambda text: as_text(text).lower()),
    "MAX": (1, ANY, lambda *values: max(_numbers(values), default=0.0)),
    "MIN": (1, ANY, lambda *values: min(_numbers(values), default=0.0)),
    "MOD": (2, 2, _divided),
    "NOT": (1, 1, _not),
    "OR": (1, ANY, _or),
    "ROUND": (1, 2, _round),
    "SEARCH": (2, 3, _search),
    "SUBSTITUTE": (3, 3, lambda text, old, new: as_text(text).replace(as_text(old), as_text(new)) if as_text(old) else as_text(text)),
    "SUM": (1, ANY, lambda *values: sum(_numbers(values))),
    "TRIM": (1, 1, lambda text: as_text(text).strip()),
    "TRUE": (0, 0, lambda: True),
    "UPPER": (1, 1, lambda text: as_text(text).upper()),
    "VALUE": (1, 1, _value),
    "XOR": (1, ANY, _xor),
}
SPECIAL: dict[str, tuple[int, int]] = {"IF": (2, 3), "IFERROR": (2, 2), "ISERROR": (1, 1), "SWITCH": (2, ANY), "ERROR": (0, 1)}
SPECIAL |= {"RECORD_ID": (0, 0), "CREATED_TIME": (0, 0), "NOW": (0, 0), "TODAY": (0, 0)}
ARGUMENTS: dict[str, tuple[int, int]] = {name: (least, most) for name, (least, most, _) in FUNCTIONS.items()} | SPECIAL
