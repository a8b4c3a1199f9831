"""Writing drafts: one request after another, until every row of them is in Airtable or set aside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from contract.about import about
from contract.link import Link
from worker.flush.airtable import Airtable, Record
from worker.flush.calls import Calls
from worker.flush.columns import KEY
from worker.flush.drafts import Draft, Table
from worker.flush.letters import Letters
from worker.flush.naming import Naming, TableNaming
from worker.flush.passage import Passage
from worker.flush.tally import Tally
from worker.store import dirty
from worker.store.lease import Lease

_log = structlog.get_logger("runtally.flush", operation="flush")


@dataclass(slots=True, kw_only=True)
class Writer:
    """Sends drafts and notes what became of them. Holds no rows between calls.

    `quarantine_s`: how long a request may take to land whose answer nobody saw. `stop`: whether this process is to end.
    A crash at any point leaves the rows dirty: they are written again, with absolute values.
    """

    link: Link
    airtable: Airtable
    calls: Calls
    lease: Lease
    names: Naming
    letters: Letters
    tally: Tally
    quarantine_s: float
    stop: Callable[[], bool]

    def naming(self, table: Table) -> TableNaming:
        """The names of a table and of its columns in the base."""
        return self.names.job if table == "job" else self.names.client

    def send(self, drafts: list[Draft]) -> list[str]:
        """One request with up to 10 drafts of one table, all or none; their record IDs, while the lease is still ours.

        Raises AirtableRejected, AirtableBusy, TurnOver; nothing was applied. Raises AirtableUnclear, LeaseLost, StoreUnavailable,
        StoreRefused, or whatever interrupted the request: where it may have been applied, or may yet be, Redis knows by then that the rows
        are to be written once more, when it can no longer land. That may take as long as Redis is away.
        """
        table = self.naming(drafts[0].table)
        records = [Record(draft.record_id, table.fields(self.present(draft))) for draft in drafts]
        typecast = any(draft.typecast for draft in drafts)
        refs = [draft.ref for draft in drafts]
        passage = Passage(self.link, self.lease, self.stop, refs, request_s=self.airtable.request_s, lands_s=self.quarantine_s)
        try:
            record_ids = self.calls.write(
                lambda: passage.send(lambda: self.airtable.upsert(table.table, records, table.of(KEY), typecast=typecast))
            )
            passage.end()
        except BaseException as error:
            passage.broken(error)
            raise
        return record_ids

    def present(self, draft: Draft) -> dict[str, object]:
        """A draft's fields without those that the base lacks."""
        return {column: value for column, value in draft.fields.items() if (draft.table, column) not in self.letters.absent}

    def written(self, drafts: list[Draft], record_ids: list[str]) -> None:
        """Note that these drafts are in Airtable, as `send` has said."""
        for draft, record_id in zip(drafts, record_ids, strict=True):
            if record_id != draft.known_id:
                self._moved(draft)
            self.letters.written(draft)
        dirty.sent(self.link, [_sent(draft, record_id) for draft, record_id in zip(drafts, record_ids, strict=True)])
        self.tally.add("rows_written", len(drafts))
        if any(draft.typecast for draft in drafts):
            self.tally.add("options_added")

    def _moved(self, draft: Draft) -> None:
        """A row has another record than Redis knows. First its clients get dirty, so that they link to it, then it is noted: a crash
        in between does this again."""
        if draft.known_id is not None:
            self.tally.add("records_lost")
            _log.warning("record was gone, written anew", record=draft.known_id, **about(draft.ref.row_id))
        if draft.table == "job":
            dirty.mark(self.link, dirty.written_clients(self.link, draft.ref))

    def refused(self, draft: Draft, reason: str) -> None:
        """Set a whole row aside: it is not written in this version."""
        self.letters.refuse_row(draft, reason)
        dirty.sent(self.link, [_sent(draft, "")])

    def job_gone(self, draft: Draft) -> None:
        """The job that a client row links to is no longer in Airtable: it is written anew, and the client linked again then."""
        dirty.forget_record(self.link, dirty.RowRef(draft.ref.partition, draft.run))


def _sent(draft: Draft, record_id: str) -> dirty.Sent:
    return dirty.Sent(draft.ref, draft.version, record_id)
