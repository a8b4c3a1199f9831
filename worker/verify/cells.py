"""A row's values as the flush writes them, against the cells of its record. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from worker.flush.columns import Column, Fields, Kind


class Difference(NamedTuple):
    """A column whose cell is not what the flush writes there. Both values as text, shortened."""

    column: str
    found: str
    expected: str


def differences(expected: Fields, cells: Mapping[str, Any], columns: Collection[Column], skipped: Collection[str]) -> list[Difference]:
    """What differs, in the order of the columns. What the flush does not write (`expected` lacks it) is not looked at, nor are
    `skipped` columns. An empty cell and None are the same."""
    return list(_differences(expected, cells, columns, skipped))


def _differences(expected: Fields, cells: Mapping[str, Any], columns: Collection[Column], skipped: Collection[str]) -> Iterator[Difference]:
    for column in columns:
        if column.name not in expected or column.name in skipped or column.kind is Kind.FORMULA:
            continue
        wanted, found = expected[column.name], cells.get(column.name)
        if not same(column.kind, wanted, found):
            yield Difference(column.name, shown(found), shown(wanted))


def same(kind: Kind, wanted: Any, found: Any) -> bool:
    """Whether a cell holds what was written there, as Airtable keeps it: numbers as doubles, times to the millisecond."""
    wanted, found = _filled(wanted), _filled(found)
    if wanted is None or found is None:
        return wanted is found
    if kind in (Kind.INTEGER, Kind.DECIMAL, Kind.PERCENT):
        return _same_number(wanted, found)
    if kind is Kind.TIME:
        return bool(_moment(wanted) == _moment(found))
    if kind is Kind.LINK:
        return list(wanted) == _records(found)
    if kind is Kind.TEXT:
        return str(wanted).split() == str(found).split()
    return _lines(wanted) == _lines(found)


def shown(value: Any) -> str:
    """A value for a finding, in at most 120 characters; of a longer text the end, which is what changes."""
    if _filled(value) is None:
        return "nothing"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 120 else f"…{text[-119:]}"


def _filled(value: Any) -> Any:
    return None if value is None or value in ("", []) else value


def _same_number(wanted: Any, found: Any) -> bool:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return False
    if isinstance(wanted, int):
        return float(wanted) == float(found)
    # Not exactly: a field may be kept with fewer digits than a double has.
    return math.isclose(wanted, found, rel_tol=1e-9, abs_tol=1e-9)


def _moment(text: Any) -> Any:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return text
    # A date without time is midnight, UTC.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _records(found: Any) -> list[str]:
    """Record IDs of a link; the API has two forms."""
    listed = found if isinstance(found, list) else [found]
    return [str(item["id"]) if isinstance(item, dict) and "id" in item else str(item) for item in listed]


def _lines(text: Any) -> str:
    return str(text).replace("\r\n", "\n").rstrip("\n")
