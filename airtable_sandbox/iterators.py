"""Offsets of lists in progress. A list is a snapshot of record IDs; its offset names the snapshot and the next record."""

from __future__ import annotations

from collections import OrderedDict

from airtable_sandbox import errors
from airtable_sandbox.ids import is_id, new_id

_KEPT = 200  # lists in progress at once; an older one answers LIST_RECORDS_ITERATOR_NOT_AVAILABLE


class IteratorStore:
    """In memory: a restart ends every list in progress, as an expired iterator does in Airtable."""

    def __init__(self) -> None:
        self._lists: OrderedDict[str, tuple[str, list[str]]] = OrderedDict()

    def first_page(self, table_id: str, record_ids: list[str], size: int) -> tuple[list[str], str | None]:
        """The first `size` IDs, and the offset of the rest or None."""
        if len(record_ids) <= size:
            return record_ids, None
        iterator = new_id("itr")
        self._lists[iterator] = (table_id, record_ids)
        if len(self._lists) > _KEPT:
            self._lists.popitem(last=False)
        return record_ids[:size], f"{iterator}/{record_ids[size]}"

    def next_page(self, table_id: str, offset: str, size: int) -> tuple[list[str], str | None]:
        """The page that `offset` begins. Raises ApiError 422 for an offset that is none, or whose list is gone."""
        iterator, _, start = offset.partition("/")
        if not (is_id(iterator, "itr") and is_id(start, "rec")):
            raise errors.bad_offset(offset)
        of_table, record_ids = self._lists.get(iterator, ("", []))
        if of_table != table_id or start not in record_ids:
            raise errors.iterator_gone()
        self._lists.move_to_end(iterator)
        at = record_ids.index(start)
        rest = record_ids[at + size :]
        return record_ids[at : at + size], f"{iterator}/{rest[0]}" if rest else None
