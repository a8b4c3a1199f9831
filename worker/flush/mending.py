"""What to do about a refusal: what is at fault is found and set aside, and everything else is sent again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import structlog

from contract.about import about
from contract.errors import AirtableRejected
from worker.flush import refusals
from worker.flush.airtable import MAX_RECORDS
from worker.flush.columns import KEY, LINK
from worker.flush.drafts import Draft, Table
from worker.flush.writer import Writer

OPEN_SELECTS = frozenset({"Job Type"})
"""Select columns whose options are the users' own words: Airtable may add one that it lacks. Status is none of them."""

FIELD_FAULTS = 3
"""Values of a field that are refused in one flush before it is taken that all are (a column of another type)."""

_ADVICE = {
    401: "Set RUNTALLY_AIRTABLE_TOKEN to a valid token.",
    402: "The workspace's plan does not allow it: see its billing page.",
    403: "Look whether base and table are right and the token may write to them: `runtally airtable check`.",
    404: "Look whether base and table are right: `runtally airtable check`.",
}

Groups = list[list[Draft]]
_log = structlog.get_logger("runtally.flush", operation="flush")


class Mender:
    """Writes drafts whatever Airtable refuses of them. Remembers, for one flush, how often it refused which field."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._faults: Counter[tuple[Table, str]] = Counter()

    def write(self, drafts: list[Draft]) -> None:
        """Write drafts of one table, at most 10.

        Raises what Writer.send and Writer.written raise; AirtableRejected only when token, base or table are at fault, not a row.
        What was not sent by then stays dirty.
        """
        groups: Groups = [drafts]
        while groups:
            group = groups.pop()
            try:
                record_ids = self._writer.send(group)
            except AirtableRejected as refusal:
                groups.extend(reversed(self._mend(group, refusal)))
            else:
                self._writer.written(group, record_ids)

    def _mend(self, group: list[Draft], refusal: AirtableRejected) -> Groups:
        """The groups to send instead. Each way is gone only if it changes what is sent, so this comes to an end."""
        for way in (self._forget_records, self._leave_out):
            if way(group, refusal):
                return [group]
        if not refusals.about_rows(refusal):
            advice = _ADVICE.get(refusal.status, "Nothing was lost: the rows wait in Redis.")
            raise AirtableRejected(f"{refusal}. {advice}", refusal.status, refusal.kind) from refusal
        if len(group) > 1:
            middle = len(group) // 2
            return [group[:middle], group[middle:]]
        draft = group[0]
        for mend in (self._merge, self._add_option, self._refuse_named, self._refuse_largest, self._refuse_found):
            if mend(draft, refusal):
                return [group]
        self._writer.refused(draft, str(refusal))
        return []

    def _forget_records(self, group: list[Draft], refusal: AirtableRejected) -> bool:
        """A record is gone: the row goes by its key instead, a link to it is left out. When the text names none, first all own
        IDs are forgotten, then all links."""
        if not refusals.maybe_gone(refusal):
            return False
        named = refusals.named_record(refusal)
        own = [draft for draft in group if draft.record_id is not None and named in {None, draft.record_id}]
        linked = [draft for draft in group if draft.job_record is not None and named in {None, draft.job_record}]
        if own:
            for draft in own:
                draft.record_id = None
        elif refusals.about_rows(refusal):
            for draft in linked:
                self._writer.job_gone(draft)
                del draft.fields[LINK]
        else:
            return False
        return bool(own or linked)

    def _leave_out(self, group: list[Draft], refusal: AirtableRejected) -> bool:
        """A column that the base lacks, or computes itself, is written in no row."""
        first = group[0]
        naming, columns = self._writer.naming(first.table), self._writer.present(first)
        column = refusals.unknown_column(refusal, columns, naming) or refusals.computed_column(refusal, columns, naming)
        if column == KEY:
            advice = f"The table needs the field {naming.of(KEY)!r}: `runtally airtable init` makes it."
            raise AirtableRejected(f"{refusal}. {advice}", refusal.status, refusal.kind) from refusal
        if column is not None:
            self._writer.letters.leave_out(first, column, str(refusal))
        return column is not None

    def _merge(self, draft: Draft, refusal: AirtableRejected) -> bool:
        """Several records have this key: the oldest stays, what the others held goes to the dead letters, and they are deleted."""
        if not refusals.several_match(refusal) or "merge" in draft.tried:
            return False
        draft.tried.add("merge")
        writer, naming = self._writer, self._writer.naming(draft.table)
        try:
            found = writer.calls.read(lambda: writer.airtable.find(naming.table, naming.of(KEY), draft.ref.row_id))
        except AirtableRejected as error:
            if not refusals.about_rows(error):
                raise
            found = []
        if not found:
            return False
        draft.record_id = found[0].record_id
        extra = found[1 : 1 + MAX_RECORDS]
        for record in extra:
            writer.letters.replaced(draft, record.record_id, record.fields)
        try:
            if extra:
                writer.calls.write(lambda: writer.airtable.delete(naming.table, [record.record_id for record in extra]))
        except AirtableRejected as error:
            _log.warning("duplicates not deleted", error=str(error), **about(draft.ref.row_id))
        else:
            writer.tally.add("duplicates_merged", len(extra))
        return True

    def _add_option(self, draft: Draft, refusal: AirtableRejected) -> bool:
        """An option of an open select is Airtable's to add, for which this row alone is sent with typecast."""
        if not refusals.option_lacking(refusal) or "option" in draft.tried:
            return False
        draft.tried.add("option")
        column = refusals.refused_column(refusal, draft.fields, self._writer.naming(draft.table))
        draft.typecast = column in OPEN_SELECTS
        return draft.typecast

    def _refuse_named(self, draft: Draft, refusal: AirtableRejected) -> bool:
        column = refusals.refused_column(refusal, self._writer.present(draft), self._writer.naming(draft.table))
        return column is not None and self._refuse(draft, column, refusal)

    def _refuse_largest(self, draft: Draft, refusal: AirtableRejected) -> bool:
        """A row too large for a request loses its longest text."""
        texts = {column: len(value) for column, value in draft.fields.items() if isinstance(value, str)}
        return refusals.too_large(refusal) and self._refuse(draft, max(texts, key=lambda column: texts[column]), refusal)

    def _refuse_found(self, draft: Draft, refusal: AirtableRejected) -> bool:
        """The text names no field: those at fault are found by sending parts of the row, which are true as far as they go."""
        if "search" in draft.tried:
            return False
        draft.tried.add("search")
        if self._refuses(draft, []):
            return False
        columns = [column for column in self._writer.present(draft) if column != KEY]
        found = search(columns, lambda part: self._refuses(draft, part))
        for column in found:
            self._refuse(draft, column, refusal)
        return bool(found)

    def _refuses(self, draft: Draft, columns: list[str]) -> bool:
        part = replace(draft, fields={column: draft.fields[column] for column in (KEY, *columns)})
        try:
            self._writer.send([part])
        except AirtableRejected:
            return True
        return False

    def _refuse(self, draft: Draft, column: str, refusal: AirtableRejected) -> bool:
        """Set a value aside; False for the key, without which there is no row."""
        if column == KEY:
            return False
        draft.typecast = False
        if self._writer.letters.suspected(draft.table, column):
            self._writer.letters.leave_out(draft, column, f"still refused: {refusal}")
            return True
        self._writer.letters.refuse_field(draft, column, str(refusal))
        self._faults[draft.table, column] += 1
        if self._faults[draft.table, column] == FIELD_FAULTS:
            self._writer.letters.leave_out(draft, column, f"refused in {FIELD_FAULTS} rows, last: {refusal}")
        del draft.fields[column]
        return True


def search(columns: list[str], refused: Callable[[list[str]], bool]) -> list[str]:
    """The columns that are refused by themselves, found by halving."""
    if not columns or not refused(columns):
        return []
    if len(columns) == 1:
        return columns
    middle = len(columns) // 2
    return search(columns[:middle], refused) + search(columns[middle:], refused)
