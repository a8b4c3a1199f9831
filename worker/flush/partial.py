"""Rows that were written without a column that the base lacked: they are written again when it is back."""

from __future__ import annotations

from contextlib import suppress

from contract import keys
from contract.errors import StoreRefused
from contract.link import Link
from worker.flush.drafts import Draft, Table
from worker.store import dirty
from worker.store.dirty import RowRef

_AT_ONCE = 500


class Partial:
    """Remembers them in Redis. Methods raise StoreUnavailable; a full Redis forgets, and `runtally verify` finds what it forgot."""

    def __init__(self, link: Link, base_id: str, keep_s: int) -> None:
        self._link = link
        self._base_id = base_id
        self._keep_s = keep_s

    def add(self, draft: Draft, column: str) -> None:
        """A row is about to be written without a column that it has a value for."""
        key = self._key(draft.table, column)
        with suppress(StoreRefused):
            self._link.call("SADD", key, f"{draft.ref.partition}:{draft.ref.row_id}")
            self._link.call("EXPIRE", key, self._keep_s)

    def sample(self, table: Table, column: str) -> None:
        """Let one of them be written, to see whether the column is back."""
        self._mark(table, column, 1)

    def restore(self, table: Table, column: str) -> None:
        """The column is back: let all of them be written. A crash in between leaves the rest remembered."""
        key = self._key(table, column)
        while members := self._mark(table, column, _AT_ONCE):
            self._link.call("SREM", key, *members)

    def _mark(self, table: Table, column: str, most: int) -> list[bytes]:
        members: list[bytes] = self._link.call("SRANDMEMBER", self._key(table, column), most)
        parts = [member.decode().split(":", 1) for member in members]
        dirty.mark(self._link, [RowRef(int(partition), row_id) for partition, row_id in parts])
        return members

    def _key(self, table: Table, column: str) -> str:
        return keys.flush_partial(self._base_id, table, column)
