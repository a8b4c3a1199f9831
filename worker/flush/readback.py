"""Reading back what stands in Airtable: page by page, within the limit that the flush keeps too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from pyairtable.formulas import EQ, FIND, Field

from contract.errors import AirtableBusy
from contract.link import Link
from contract.registry import load_registry
from contract.settings import Settings
from worker.flush.admission import Admission
from worker.flush.airtable import Airtable, Found
from worker.flush.calls import Calls
from worker.flush.columns import KEY
from worker.flush.naming import TableNaming, load_naming
from worker.flush.pace import Pace
from worker.flush.tally import Tally
from worker.flush.turn import Turn, TurnOver

_RETRY_S = 60.0


class Readback:
    """The two tables as Airtable has them now: display name -> value. Costs one call for 100 records.

    Every method raises what worker.flush.airtable raises (AirtableBusy also when time is up), StoreUnavailable and StoreRefused.
    """

    def __init__(self, settings: Settings, deadline_s: float = 3_600.0, *, pace: Pace | None = None) -> None:
        """`deadline_s`: how long all reading together may take. `pace`: Airtable's times, if not the real ones."""
        self._pace = pace or Pace()
        self._settings = settings
        registry = load_registry(settings.metrics_file)
        self._naming = load_naming(settings.metrics_file, registry)
        self._turn = Turn(lambda: False, deadline_s)

    def job_rows(self, run: str | None = None) -> list[dict[str, Any]]:
        """All rows of Job Tracking, or those of one run."""
        naming = self._naming.job
        formula = None if run is None else str(EQ(Field(naming.of(KEY)), run))
        return self._rows(naming, formula)

    def client_rows(self, run: str | None = None) -> list[dict[str, Any]]:
        """All rows of Client Run Results, or those of one run."""
        naming = self._naming.client
        formula = None if run is None else str(EQ(FIND(f"{run}-", Field(naming.of(KEY))), 1))
        return self._rows(naming, formula)

    def _rows(self, naming: TableNaming, formula: str | None) -> list[dict[str, Any]]:
        shown = {name: column for column, name in naming.renamed.items()}
        found: list[Found] = []
        offset: str | None = None
        try:
            with self._calls() as (airtable, calls):
                while True:
                    page = calls.read(partial(airtable.page, naming.table, formula, offset))
                    found += page.records
                    offset = page.offset
                    if offset is None:
                        break
        except TurnOver as error:
            raise AirtableBusy("reading Airtable took too long: others are sending, or the tables are large", _RETRY_S) from error
        return [{shown.get(name, name): value for name, value in record.fields.items()} for record in found]

    @contextmanager
    def _calls(self) -> Iterator[tuple[Airtable, Calls]]:
        airtable = Airtable(self._settings, self._pace.lockout_s)
        base_id = self._settings.airtable_base_id or ""
        link = Link(self._settings.redis_url.get_secret_value(), name="runtally-readback")
        link.open()
        try:
            tally = Tally(link, base_id)
            yield airtable, Calls(Admission(self._settings, link, tally, airtable.request_s, self._pace), self._turn, tally)
        finally:
            link.close()
            airtable.close()
