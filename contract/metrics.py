"""What a metric is, how its values are normalised and merged, and what a rate is (spec §4). The registry of them is in registry.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from enum import StrEnum
from functools import reduce
from typing import cast

from contract.errors import ValueRejected
from contract.values import EXACT, MAX_INTEGER, MIN_INTEGER, to_datetime_text, to_decimal, to_integer, to_text

Value = int | Decimal | str
"""A normalised value: int, Decimal, or text (datetimes are text of fixed width, in UTC)."""

BOTH_TABLES = frozenset({"job", "client"})


class MetricType(StrEnum):
    """The types a metric can have."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    DATETIME = "datetime"
    TEXT = "text"


class Aggregation(StrEnum):
    """How observations of a client run, and the values of a job's client runs, become one value."""

    SUM = "sum"
    MIN = "min"
    MAX = "max"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name`: as people read it, the Airtable field. `key`: the same in snake_case. Both are unique in a registry.

    `tables`: where it is shown, of `job` and `client`. `work`: a value above zero means that something was done (spec §2).
    `minimum`: the least number accepted, None for no bound; of no meaning for datetime and text. `clients`: the client IDs
    that have this metric, empty for all. `fallback`: names of the metrics whose sum stands in when this one was never reported.
    """

    name: str
    key: str
    type: MetricType
    aggregation: Aggregation
    unit: str = ""
    help: str = ""
    tables: frozenset[str] = BOTH_TABLES
    work: bool = False
    minimum: int | Decimal | None = 0
    clients: frozenset[str] = frozenset()
    fallback: tuple[str, ...] = ()
    _least: int | Decimal = field(init=False, repr=False, compare=False)
    _whole: bool = field(init=False, repr=False, compare=False)
    _sums: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_least", MIN_INTEGER if self.minimum is None else self.minimum)
        object.__setattr__(self, "_whole", self.type is MetricType.INTEGER)
        object.__setattr__(self, "_sums", self.aggregation is Aggregation.SUM)

    def normalise(self, value: object) -> Value:
        """The value in the metric's type; see contract/values.py. Raises ValueRejected with the reason, and nothing else."""
        if self._whole and type(value) is int and self._least <= value <= MAX_INTEGER:
            return value  # what nearly every value is
        if self.type is MetricType.DATETIME:
            return to_datetime_text(value)
        if self.type is MetricType.TEXT:
            return to_text(value)
        return self._at_least_minimum(to_integer(value) if self._whole else to_decimal(value))

    def _at_least_minimum(self, number: int | Decimal) -> int | Decimal:
        if self.minimum is None or number >= self.minimum:
            return number
        if number < 0 and self.minimum == 0:
            raise ValueRejected(f"is negative: {number}")
        raise ValueRejected(f"is below {self.minimum}: {number}")

    def merge(self, old: Value | None, new: Value) -> Value:
        """Two normalised values as one. `old` None: nothing so far. For `last` it is the new one: the caller compares event times.

        Sums, minima and maxima do not depend on the order. Sums are exact and may exceed 2^63.
        """
        if self._sums:
            return new if old is None else _add(old, new)
        if old is None or self.aggregation is Aggregation.LAST:
            return new
        old_first = cast(int, old) <= cast(int, new)
        return old if old_first is (self.aggregation is Aggregation.MIN) else new

    def shift(self, total: Value | None, old: Value | None, new: Value | None) -> Value:
        """A job's total after one of its clients' values went from `old` to `new`; None: not there. For sums only, exact."""
        grown = _add(total if total is not None else 0, new if new is not None else 0)
        return grown if old is None else _add(grown, _negative(old))


def _add(left: Value, right: Value) -> int | Decimal:
    if type(left) is int and type(right) is int:
        return left + right
    return EXACT.add(cast(Decimal, left), cast(Decimal, right))


def _negative(value: Value) -> int | Decimal:
    return -value if isinstance(value, int) else EXACT.minus(cast(Decimal, value))


def exact_sum(values: Sequence[Value]) -> Value:
    """The exact sum of numbers, all int or all Decimal; 0 of none."""
    return reduce(_add, values) if values else 0


_RATE = Context(prec=28)
_NUMBERS = (int, Decimal)


@dataclass(frozen=True, slots=True)
class Rate:
    """Numerator / denominator, both display names of numeric metrics; shown as a percentage in `tables`."""

    name: str
    key: str
    numerator: str
    denominator: str
    help: str = ""
    tables: frozenset[str] = frozenset({"client"})

    def of(self, metrics: Mapping[str, object]) -> Decimal | None:
        """The rate from a row's metrics (display name -> value), 0 to 1, capped there, to 28 digits.

        None when nothing is in the denominator; a numerator never reported counts as 0. `fault` tells what a cap would hide.
        """
        denominator = metrics.get(self.denominator)
        numerator = metrics.get(self.numerator, 0)
        if not isinstance(denominator, _NUMBERS) or denominator <= 0 or not isinstance(numerator, _NUMBERS):
            return None
        if 0 <= numerator <= denominator:
            return _RATE.divide(Decimal(numerator), Decimal(denominator))
        return Decimal(0 if numerator < 0 else 1)

    def fault(self, metrics: Mapping[str, object]) -> str | None:
        """What cannot be true of the rate's parts, for the notes; None when all is well, or the denominator was never reported.

        The numerator exceeds the denominator (also one of 0), or is below 0: something was counted twice, or not at all. Asked with nearly
        every event, so it divides nothing.
        """
        denominator = metrics.get(self.denominator)
        if denominator is None:
            return None
        numerator = metrics.get(self.numerator, 0)
        if not isinstance(denominator, _NUMBERS) or not isinstance(numerator, _NUMBERS) or 0 <= numerator <= denominator:
            return None
        shown = "empty" if denominator <= 0 else "shown as 0 %" if numerator < 0 else "shown as 100 %"
        wrong = "is below zero" if numerator < 0 else f"exceeds {self.denominator}"
        return f"integrity: {self.numerator} {wrong}; {self.name} is {shown}"
