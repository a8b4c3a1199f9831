"""Numbers as JavaScript has them, because that is what Airtable's cells hold."""

from __future__ import annotations

_INTEGRAL_LIMIT = 1e21  # from here on JavaScript writes a number with an exponent


def js_number(value: float) -> int | float:
    """A number as JavaScript keeps it: a double, written without a fraction when it has none.

    Integers beyond 2^53 lose digits here as they do in Airtable. Raises OverflowError beyond the range of a double.
    """
    double = float(value)
    return int(double) if double.is_integer() and abs(double) < _INTEGRAL_LIMIT else double
