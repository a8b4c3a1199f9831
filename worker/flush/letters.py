"""What Airtable does not take is kept, with the reason: dead letters of fields and rows, and the fields the base lacks."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import structlog

from contract import keys
from contract.about import about
from contract.errors import StoreRefused
from contract.link import Link
from contract.settings import Settings
from worker.flush.drafts import Draft, Table, Unreadable
from worker.flush.partial import Partial
from worker.flush.tally import Tally

_ABSENT = "absent:"
_SHOWN = 200

_log = structlog.get_logger("runtally.flush", operation="flush")


class Letters:
    """Writes dead letters of one base, and remembers in Redis, beside the counters, which fields it lacks.

    Hash field `absent:<table>:<column>` -> s (Unix) when the base was last seen to lack the column or to refuse all its values.
    """

    def __init__(self, link: Link, settings: Settings, tally: Tally, recheck_s: float) -> None:
        """`recheck_s`: how long a field that the base lacks is left out before it is tried again."""
        base_id = settings.airtable_base_id or ""
        self._link = link
        self._base_id = base_id
        self._most = settings.dead_letters
        self._recheck_s = recheck_s
        self._partial = Partial(link, base_id, settings.retention_s)
        self._tally = tally
        self._counters = keys.flush_counters(base_id)
        self._stale: set[tuple[Table, str]] = set()
        self.absent: dict[tuple[Table, str], str] = {}
        """Columns left out now, with the reason. Those found absent long ago are not among them: they are tried again."""

    def load(self) -> None:
        """Read which columns the base lacks."""
        stored = self._link.call("HGETALL", self._counters)
        for name, seen in zip(stored[::2], stored[1::2], strict=True):
            if name.startswith(_ABSENT.encode()):
                table, column = name.decode().removeprefix(_ABSENT).split(":", 1)
                if time.time() - float(seen) < self._recheck_s:
                    self.absent[table, column] = "the base lacks it"
                else:
                    self._stale.add((table, column))
                    self._partial.sample(table, column)

    def leave_out(self, draft: Draft, column: str, reason: str) -> None:
        """From now on `column` is not written. One dead letter as long as the column stays absent, and one report a flush."""
        self.absent[draft.table, column] = reason
        self._stale.discard((draft.table, column))
        first = False
        # A full Redis cannot remember it: the next flush finds it again.
        with suppress(StoreRefused):
            first = self._link.call("HSET", self._counters, f"{_ABSENT}{draft.table}:{column}", int(time.time())) == 1
        _log.warning(
            "field left out of all rows", base=self._base_id, table=draft.table, field=column, reason=reason, **about(draft.ref.row_id)
        )
        if first:
            self._tally.add("refused_fields")
            self._write(f"field left out of all rows: {reason}", draft, column)

    def suspected(self, table: Table, column: str) -> bool:
        """True for a column that was absent and is being tried again."""
        return (table, column) in self._stale

    def written(self, draft: Draft) -> None:
        """A draft is in Airtable: columns that were absent and are in it are back, and what it lacks is remembered."""
        for table, column in self.absent:
            if table == draft.table and draft.fields.get(column) is not None:
                self._partial.add(draft, column)
        for table, column in list(self._stale):
            if table == draft.table and column in draft.fields:
                self._stale.discard((table, column))
                self._link.call("HDEL", self._counters, f"{_ABSENT}{table}:{column}")
                self._partial.restore(table, column)
                _log.info("field is back", base=self._base_id, table=table, field=column)

    def refuse_field(self, draft: Draft, column: str, reason: str) -> None:
        """One row's value of one field is set aside; the rest of the row goes on."""
        _log.warning("field refused", base=self._base_id, field=column, reason=reason, **about(draft.ref.row_id))
        self._tally.add("refused_fields")
        self._write(reason, draft, column)

    def refuse_row(self, draft: Draft, reason: str) -> None:
        """A whole row is set aside. A later version of it is tried again."""
        _log.error("row refused", base=self._base_id, reason=reason, **about(draft.ref.row_id))
        self._tally.add("refused_rows")
        self._write(reason, draft, None)

    def unreadable(self, row: Unreadable) -> None:
        """A row in Redis that is none."""
        _log.error("row cannot be read", base=self._base_id, reason=row.reason, **about(row.ref.row_id))
        self._tally.add("refused_rows")
        self._append(f"row cannot be read: {row.reason}", {"row": row.ref.row_id}, None)

    def replaced(self, draft: Draft, record_id: str, fields: dict[str, Any]) -> None:
        """A duplicate is about to be deleted: what it held is kept here."""
        _log.warning("duplicate record merged", base=self._base_id, record=record_id, **about(draft.ref.row_id))
        self._append("duplicate record deleted", {"row": draft.ref.row_id, "table": draft.table, "record": record_id}, fields)

    def _write(self, reason: str, draft: Draft, column: str | None) -> None:
        value = draft.fields if column is None else draft.fields.get(column)
        origin = {"row": draft.ref.row_id, "table": draft.table, "field": column, "value": None if column is None else str(value)[:_SHOWN]}
        self._append(reason, origin, draft.fields if column is None else {column: value})

    def _append(self, reason: str, origin: dict[str, Any], letter: object) -> None:
        entry = ["reason", reason, "origin", json.dumps(origin), "letter", json.dumps(letter)]
        stream = keys.flush_dead(self._base_id)
        # One after another, though not as one: a letter that a person deletes in just this moment is counted as dropped.
        replies = self._link.pipeline([("XLEN", stream), ("XADD", stream, "MAXLEN", "~", self._most, "*", *entry), ("XLEN", stream)])
        for reply in replies:
            if isinstance(reply, StoreRefused):
                raise reply
        dropped = replies[0] + 1 - replies[2]
        if dropped > 0:
            self._tally.add("dead_dropped", dropped)
