"""The flush: brings Airtable's rows up to what Redis holds. Writes absolute values, so that writing twice is harmless.

One flusher a base (by lease), one request at a time. See docs/airtable.md for what happens when Airtable does not play along.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import structlog

from contract import keys
from contract.errors import AirtableBusy, AirtableRejected, AirtableUnclear, StoreRefused, StoreUnavailable
from contract.link import Link
from contract.registry import Registry
from contract.settings import Settings
from worker.flush.admission import Admission, NotNow
from worker.flush.aftermath import Aftermath
from worker.flush.airtable import Airtable
from worker.flush.calls import Calls, LeaseLost
from worker.flush.drafts import Drafter
from worker.flush.letters import Letters
from worker.flush.mending import Mender
from worker.flush.naming import load_naming
from worker.flush.pace import Pace
from worker.flush.plan import Batch, Credit, batches, ordered, waiting
from worker.flush.report import Ending, FlushReport, report
from worker.flush.standstill import Standstill
from worker.flush.tally import Tally
from worker.flush.turn import Turn, TurnOver
from worker.flush.writer import Writer
from worker.store import dirty
from worker.store.lease import Lease

ROUND_CALLS = 25
"""Requests before the dirty rows are listed anew, so that what has become urgent meanwhile comes first (5 s at full speed)."""

UNCLEAR_IN_A_ROW = 3
"""Requests of unknown outcome, one after the other, that end a flush: Airtable is ill, and every further one sets rows waiting."""

__all__ = ["FlushReport", "Pace", "flush"]

_log = structlog.get_logger("runtally.flush", operation="flush")


def flush(
    settings: Settings, link: Link, registry: Registry, stop: Callable[[], bool], deadline_s: float, *, pace: Pace | None = None
) -> FlushReport:
    """Write what is dirty, most urgent first, until nothing is, `stop` says so, or `deadline_s` seconds are over.

    `stop` is asked often and has to be cheap. Raises SettingsInvalid (no token or base), StoreUnavailable and StoreRefused. What Airtable
    refuses, or its being away, is in the report, and in one log line. Whatever ends it: what was not written stays dirty.
    """
    pace = pace or Pace()
    airtable = Airtable(settings, pace.lockout_s)
    try:
        return _Flush(settings, link, registry, airtable, Turn(stop, deadline_s), pace).run()
    finally:
        airtable.close()


class _Flush:
    """One flush of one base."""

    def __init__(self, settings: Settings, link: Link, registry: Registry, airtable: Airtable, turn: Turn, pace: Pace) -> None:
        base_id = settings.airtable_base_id or ""
        self._link = link
        self._partitions = settings.partitions
        self._turn = turn
        self._base_id = base_id
        # Longer than the longest request, so that it can be renewed in time for the next.
        self._lease = Lease(link, keys.flush_lease(base_id), max(pace.lease_s, 2 * airtable.request_s + 2))
        self._tally = Tally(link, base_id)
        recheck_s = pace.recheck_s if settings.airtable_calls_per_month is None else pace.recheck_paid_s
        self._letters = Letters(link, settings, self._tally, recheck_s)
        self._drafter = Drafter(link, registry)
        self._aftermath = Aftermath(link, base_id, settings.partitions, airtable.request_s + pace.quarantine_s)
        self._admission = Admission(settings, link, self._tally, airtable.request_s, pace)
        self._standstill = Standstill(settings, link, self._tally, pace)
        self._calls = Calls(self._admission, turn, self._tally, self._lease)
        naming = load_naming(settings.metrics_file, registry)
        writer = Writer(
            link=link,
            airtable=airtable,
            calls=self._calls,
            lease=self._lease,
            names=naming,
            letters=self._letters,
            tally=self._tally,
            quarantine_s=pace.quarantine_s,
            stop=turn.to_stop,
        )
        self._mender = Mender(writer)
        self._unclear_in_a_row = 0

    def run(self) -> FlushReport:
        """Take the lease, write, give it back."""
        ending: Ending = "held"
        if self._standstill.load():
            ending = "refused"
        elif self._lease.take():
            try:
                self._aftermath.look()
                self._letters.load()
                ending = self._write_all()
                self._admission.budget.tell(self._tally)
            finally:
                with suppress(StoreUnavailable, StoreRefused):
                    self._lease.release()
        absent = tuple(sorted(f"{table}.{column}" for table, column in self._letters.absent))
        return report(ending, self._tally, dirty.count(self._link, self._partitions), absent, self._standstill.refusal)

    def _write_all(self) -> Ending:
        try:
            self._admission.check()
            while (ending := self._round()) is None:
                pass
        except TurnOver:
            return "stopped" if self._turn.stopped else "deadline"
        except LeaseLost:
            _log.warning("lease lost: another flusher goes on", base=self._base_id)
            return "lease_lost"
        except NotNow as no:
            return no.reason
        except AirtableBusy as error:
            _log.warning("Airtable stays busy", base=self._base_id, error=str(error))
            return "busy"
        return "refused" if ending == "clean" and self._standstill.held else ending

    def _round(self) -> Ending | None:
        """Write a few requests' worth of the most urgent rows. None when there may be more to do."""
        self._turn.check()
        account = self._admission.budget.account()
        self._aftermath.mark_due()
        due = dirty.due(self._link, self._partitions)
        self._aftermath.before_writing(due)
        refs = [row.ref for row in due]
        heads = dirty.fields(self._link, refs, "state", "record", "sent_ms")
        rows = [row for row in map(waiting, refs, heads) if row.table not in self._standstill.held]
        planned = batches(ordered(rows, by_share=account is not None), ROUND_CALLS, Credit.of(account))
        for batch in planned:
            try:
                self._write(batch)
                self._unclear_in_a_row = 0
            except AirtableRejected as refusal:
                return None if self._standstill.begin(refusal, batch.table) else "refused"
            except AirtableUnclear:
                self._unclear_in_a_row += 1
                if self._unclear_in_a_row >= UNCLEAR_IN_A_ROW:
                    return "unclear"
        if planned:
            return None
        if not rows or account is None:
            return "clean"
        return "spent" if account.spent >= account.calls else "paced"

    def _write(self, batch: Batch) -> None:
        self._calls.share = batch.share
        drafts, unreadable = self._drafter.read(batch.refs)
        for row in unreadable:
            self._letters.unreadable(row)
            dirty.release(self._link, [row.ref], dirty.claim(self._link, [row.ref], 0))
            dirty.sent(self._link, [dirty.Sent(row.ref, row.version, "")])
        for table in ("job", "client"):
            if group := [draft for draft in drafts if draft.table == table]:
                self._admission.budget.pay()
                self._mender.write(group)
                self._standstill.end(batch.table)
