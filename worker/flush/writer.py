"""Writing drafts: one request after another, until every row of them is in Airtable or set aside."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import structlog

from contract.errors import AirtableBusy, AirtableRejected, StoreUnavailable
from contract.link import Link
from worker.flush.airtable import Airtable, Record
from worker.flush.calls import Calls, LeaseLost
from worker.flush.columns import KEY
from worker.flush.drafts import Draft, Table
from worker.flush.letters import Letters
from worker.flush.naming import Naming, TableNaming
from worker.flush.tally import Tally
from worker.store import dirty
from worker.store.lease import Lease

_ANSWERED = (AirtableBusy, AirtableRejected)
"""After these nothing of ours is on its way to Airtable: it was not sent, or its answer was seen."""

_log = structlog.get_logger("runtally.flush")


@dataclass(slots=True, kw_only=True)
class Writer:
    """Sends drafts and notes what became of them. Holds no rows between calls.

    `quarantine_s`: how long a request may take to land whose answer nobody saw.
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

    def naming(self, table: Table) -> TableNaming:
        """The names of a table and of its columns in the base."""
        return self.names.job if table == "job" else self.names.client

    def send(self, drafts: list[Draft]) -> list[str]:
        """One request with up to 10 drafts of one table, all or none; their record IDs.

        Raises AirtableRejected, AirtableBusy, TurnOver, LeaseLost; nothing was applied. Raises AirtableUnclear, or whatever
        interrupted the request, after which nobody sends these rows again until the request can no longer land.
        """
        table = self.naming(drafts[0].table)
        records = [Record(draft.record_id, table.fields(self.present(draft))) for draft in drafts]
        typecast = any(draft.typecast for draft in drafts)
        refs = [draft.ref for draft in drafts]
        under_way = False
        waits_ms: list[int] = []

        def request() -> list[str]:
            nonlocal under_way, waits_ms
            # The wait begins before the request: whatever ends this process now, nobody writes these rows until it can no longer land.
            waits_ms = dirty.defer(self.link, refs, self.airtable.request_s + self.quarantine_s)
            if self.lease.remaining_s() <= self.airtable.request_s:
                raise LeaseLost
            under_way = True
            try:
                return self.airtable.upsert(table.table, records, table.of(KEY), typecast=typecast)
            except _ANSWERED:
                under_way = False
                raise

        try:
            record_ids = self.calls.write(request)
        except BaseException as error:
            if under_way:
                self.quarantine(drafts, error)
            elif waits_ms:
                # Where Redis is away the wait ends by itself.
                with suppress(StoreUnavailable):
                    dirty.release(self.link, refs, waits_ms)
            raise
        dirty.release(self.link, refs, waits_ms)
        return record_ids

    def present(self, draft: Draft) -> dict[str, object]:
        """A draft's fields without those that the base lacks."""
        return {column: value for column, value in draft.fields.items() if (draft.table, column) not in self.letters.absent}

    def quarantine(self, drafts: list[Draft], error: BaseException) -> None:
        """Let nobody send these rows until a request of unknown outcome can no longer land; then they are written once more."""
        _log.warning("outcome unknown", rows=[draft.ref.row_id for draft in drafts], wait_s=self.quarantine_s, error=str(error))
        # Said once more, from now on, and on a new connection if need be: a server that failed over may have lost the first time.
        with suppress(StoreUnavailable):
            self.link.open()
            dirty.defer(self.link, [draft.ref for draft in drafts], self.quarantine_s)

    def written(self, drafts: list[Draft], record_ids: list[str]) -> None:
        """Note that these drafts are in Airtable. Raises LeaseLost, with the rows dirty again, when somebody else may have written them."""
        if not self.lease.covers(0):
            dirty.mark(self.link, [draft.ref for draft in drafts])
            raise LeaseLost
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
            _log.warning("record was gone, written anew", row=draft.ref.row_id, record=draft.known_id)
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
    return dirty.Sent(draft.ref, draft.version, record_id, draft.keep_s, is_job=draft.table == "job")
