"""The parameters of a list, from a query string or from the body of POST listRecords."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from airtable_sandbox import errors

PAGE_LIMIT = 100
_KNOWN = {
    "cellFormat",
    "fields",
    "filterByFormula",
    "maxRecords",
    "offset",
    "pageSize",
    "recordMetadata",
    "returnFieldsByFieldId",
    "sort",
    "timeZone",
    "userLocale",
    "view",
}
_SORT_KEY = re.compile(r"sort\[(\d+)\]\[(field|direction)\]")
_LIST_KEY = re.compile(r"(fields|recordMetadata)\[\d*\]")


@dataclass(frozen=True)
class Order:
    field: str
    descending: bool


@dataclass(frozen=True)
class ListQuery:
    """What a list asks for, checked in itself but not against the table. `max_records` None is no limit."""

    fields: list[str] | None
    formula: str | None
    max_records: int | None
    offset: str | None
    page_size: int
    by_id: bool
    sort: list[Order]
    view: str | None
    comment_count: bool


def as_parameters(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """A query string's pairs in the shape that a body has. Raises ApiError 422 for a name that no list has."""
    parameters: dict[str, Any] = {}
    orders: dict[int, dict[str, str]] = {}
    for key, value in pairs:
        if found := _SORT_KEY.fullmatch(key):
            orders.setdefault(int(found[1]), {})[found[2]] = value
        elif found := _LIST_KEY.fullmatch(key):
            parameters.setdefault(found[1], []).append(value)
        else:
            parameters[key] = value
    if orders:
        parameters["sort"] = [orders[at] for at in sorted(orders)]
    return parameters


def list_query(parameters: dict[str, Any]) -> ListQuery:
    """Raises ApiError 422 for an unknown parameter or a value that cannot be one."""
    if set(parameters) - _KNOWN or parameters.get("cellFormat", "json") != "json":
        raise errors.invalid_request()
    return ListQuery(
        fields=_texts(parameters.get("fields")),
        formula=_text(parameters.get("filterByFormula")),
        max_records=_count(parameters.get("maxRecords"), None),
        offset=_text(parameters.get("offset")),
        page_size=_count(parameters.get("pageSize"), PAGE_LIMIT) or PAGE_LIMIT,
        by_id=truthy(parameters.get("returnFieldsByFieldId")),
        sort=_orders(parameters.get("sort")),
        view=_text(parameters.get("view")),
        comment_count="commentCount" in (_texts(parameters.get("recordMetadata")) or []),
    )


def truthy(value: object) -> bool:
    """A flag, as JSON or as text of a query string."""
    return value is True or str(value).lower() in {"1", "true"}


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise errors.invalid_request()
    return value or None


def _texts(value: Any) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise errors.invalid_request()
    return value


def _count(value: Any, most: int | None) -> int | None:
    """A whole number from 1 to `most`."""
    if value is None:
        return None
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", text):
        raise errors.invalid_request()
    count = int(text)
    if count < 1 or (most is not None and count > most):
        raise errors.invalid_request()
    return count


def _orders(value: Any) -> list[Order]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise errors.invalid_request()
    return [_order(item) for item in value]


def _order(item: Any) -> Order:
    if not isinstance(item, dict) or not isinstance(item.get("field"), str) or item.get("direction", "asc") not in ("asc", "desc"):
        raise errors.invalid_request()
    return Order(item["field"], item.get("direction") == "desc")
