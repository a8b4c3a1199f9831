"""The flush: brings Airtable's rows up to what Redis holds. Writes absolute values, so that writing twice is harmless.

One flusher a base (by lease), one request at a time. See docs/airtable.md for what happens when Airtable does not play along.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import structlog

from contract import keys
from contract.errors import AirtableBusy, AirtableUnclear, StoreRefused, StoreUnavailable
from contract.link import Link
from contract.registry import Registry
from contract.settings import Settings
from worker.flush.airtable import Airtable
from worker.flush.answers import LOCKOUT_S
from worker.flush.calls import Calls, LeaseLost
from worker.flush.drafts import Drafter
from worker.flush.letters import Letters
from worker.flush.limiter import Limiter
from worker.flush.mending import Mender
from worker.flush.naming import load_naming
from worker.flush.plan import batches, waiting
from worker.flush.tally import Tally
from worker.flush.turn import Turn, TurnOver
from worker.flush.writer import Writer
from worker.store import dirty
from worker.store.dirty import RowRef
from worker.store.lease import Lease

QUARANTINE_S = 60.0
"""A request whose answer nobody saw can no longer land after this."""

ROUND_CALLS = 25
"""Requests before the dirty rows are listed anew, so that what has become urgent meanwhile comes first (5 s at full speed)."""

UNCLEAR_IN_A_ROW = 3
"""Requests of unknown outcome, one after the other, that end a flush: Airtable is ill, and every further one sets rows waiting."""

Ending = Literal["clean", "stopped", "deadline", "held", "lease_lost", "busy", "unclear"]
_log = structlog.get_logger("runtally.flush")


@dataclass(frozen=True, slots=True)
class Pace:
    """Times that Airtable's behaviour dictates; tests shorten them. All in seconds."""

    quarantine_s: float = QUARANTINE_S
    lockout_s: float = LOCKOUT_S
    lease_s: float = 60.0


@dataclass(frozen=True, slots=True)
class FlushReport:
    """What one flush did.

    `ending`: "clean" nothing may be written now; "stopped" or "deadline" there was more to do; "held" another flusher has the
    base; "lease_lost" it was frozen and another took over; "busy" or "unclear" Airtable is down or ill.
    `waiting`: rows still dirty, those that may not be written yet included. `absent`: "table.column" that the base lacks.
    """

    ending: Ending
    calls: int = 0
    rows_written: int = 0
    refused_fields: int = 0
    refused_rows: int = 0
    duplicates_merged: int = 0
    records_lost: int = 0
    busy: int = 0
    unclear: int = 0
    waiting: int = 0
    absent: tuple[str, ...] = ()


def flush(
    settings: Settings, link: Link, registry: Registry, stop: Callable[[], bool], deadline_s: float, *, pace: Pace | None = None
) -> FlushReport:
    """Write what is dirty, most urgent first, until nothing is, `stop` says so, or `deadline_s` seconds are over.

    `stop` is asked often and has to be cheap. Raises SettingsInvalid (no token or base), AirtableRejected when token, base or table
    are at fault (its text says what to do), StoreUnavailable and StoreRefused. Whatever ends it: what was not written stays dirty.
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
        self._letters = Letters(link, base_id, settings.dead_letters, self._tally)
        self._drafter = Drafter(link, settings, registry)
        limiter = Limiter(link, base_id, unseen_s=airtable.request_s + pace.quarantine_s)
        calls = Calls(limiter, turn, self._tally, airtable.request_s, self._lease)
        naming = load_naming(settings.metrics_file, registry)
        writer = Writer(
            link=link,
            airtable=airtable,
            calls=calls,
            lease=self._lease,
            names=naming,
            letters=self._letters,
            tally=self._tally,
            quarantine_s=pace.quarantine_s,
        )
        self._mender = Mender(writer)
        self._unclear_in_a_row = 0

    def run(self) -> FlushReport:
        """Take the lease, write, give it back."""
        if not self._lease.take():
            return FlushReport("held", waiting=dirty.count(self._link, self._partitions))
        try:
            self._letters.load()
            ending = self._write_all()
        finally:
            with suppress(StoreUnavailable, StoreRefused):
                self._lease.release()
        return self._report(ending)

    def _write_all(self) -> Ending:
        try:
            while self._round():
                pass
        except TurnOver:
            return "stopped" if self._turn.stopped else "deadline"
        except LeaseLost:
            _log.warning("lease lost: another flusher goes on", base=self._base_id)
            return "lease_lost"
        except AirtableBusy as error:
            _log.warning("Airtable stays busy", base=self._base_id, error=str(error))
            return "busy"
        return "unclear" if self._unclear_in_a_row >= UNCLEAR_IN_A_ROW else "clean"

    def _round(self) -> bool:
        """Write a few requests' worth of the most urgent rows; True when there may be more to do."""
        self._turn.check()
        refs = dirty.due(self._link, self._partitions)
        heads = dirty.fields(self._link, refs, "state", "record", "sent_ms")
        planned = batches((waiting(ref, *head) for ref, head in zip(refs, heads, strict=True)), ROUND_CALLS)
        for batch in planned:
            try:
                self._write(batch)
                self._unclear_in_a_row = 0
            except AirtableUnclear:
                self._unclear_in_a_row += 1
                if self._unclear_in_a_row >= UNCLEAR_IN_A_ROW:
                    return False
        return bool(planned)

    def _write(self, batch: list[RowRef]) -> None:
        drafts, unreadable = self._drafter.read(batch)
        for row in unreadable:
            self._letters.unreadable(row)
            dirty.sent(self._link, [dirty.Sent(row.ref, row.version, "", 0)])
        for table in ("job", "client"):
            if group := [draft for draft in drafts if draft.table == table]:
                self._mender.write(group)

    def _report(self, ending: Ending) -> FlushReport:
        here = self._tally.here
        return FlushReport(
            ending,
            calls=here["calls"],
            rows_written=here["rows_written"],
            refused_fields=here["refused_fields"],
            refused_rows=here["refused_rows"],
            duplicates_merged=here["duplicates_merged"],
            records_lost=here["records_lost"],
            busy=here["busy"],
            unclear=here["unclear"],
            waiting=dirty.count(self._link, self._partitions),
            absent=tuple(sorted(f"{table}.{column}" for table, column in self._letters.absent)),
        )
