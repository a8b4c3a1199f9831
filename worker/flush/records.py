"""Records of both tables, with their record IDs: for those who compare them with the rows. Reads only, within the flush's limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from pyairtable.formulas import EQ, FIND, OR, Field

from contract.errors import AirtableBusy, AirtableRejected
from contract.settings import Settings
from worker.flush.airtable import Found, TableShape
from worker.flush.columns import KEY
from worker.flush.drafts import Table
from worker.flush.naming import TableNaming
from worker.flush.readback import Readback
from worker.flush.turn import TurnOver

MAX_KEYS = 10
"""Keys asked for at once: as many as fit into an address of 16,000 characters however they are escaped."""

_COMPUTED = frozenset(
    {
        *("formula", "rollup", "count", "lookup", "multipleLookupValues", "autoNumber", "button", "aiText", "externalSyncSource"),
        *("createdTime", "lastModifiedTime", "createdBy", "lastModifiedBy"),
    }
)
"""Field types that Airtable fills itself. Source: airtable.com/developers/web/api/field-model."""


class BaseFields(NamedTuple):
    """Names and IDs of the fields of a table: all, and those that Airtable fills itself."""

    there: frozenset[str]
    computed: frozenset[str]


class Records(Readback):
    """The records as they are now, fields by display name. Raises what Readback raises; AirtableBusy also when time is up."""

    def __init__(self, settings: Settings, deadline_s: float = 3_600.0) -> None:
        super().__init__(settings, deadline_s)
        self._names: dict[Table, dict[str, str]] = {}

    def naming(self, table: Table) -> TableNaming:
        """The names of a table and of its columns in the base."""
        return self._naming.job if table == "job" else self._naming.client

    def pages(self, table: Table, run: str | None = None) -> Iterator[list[Found]]:
        """All records of a table, or those of one run, up to 100 at a time."""
        key = Field(self.naming(table).of(KEY))
        formula = None if run is None else str(EQ(key, run) if table == "job" else EQ(FIND(f"{run}-", key), 1))
        return self._pages(table, formula)

    def with_keys(self, table: Table, keys: Sequence[str]) -> list[Found]:
        """The records with one of up to 10 keys."""
        field = Field(self.naming(table).of(KEY))
        formula = str(OR(*(EQ(field, key) for key in keys)))
        wanted = frozenset(keys)
        return [record for page in self._pages(table, formula) for record in page if record.fields.get(KEY) in wanted]

    def fields(self) -> dict[Table, BaseFields] | None:
        """The fields that each table has, from the schema; a table that is not there is left out. None when the token may not read it.

        To be asked first where columns are named by field ID: records come with names only.
        """
        try:
            with self._calls() as (airtable, calls):
                shape = calls.read(airtable.shape)
        except AirtableRejected:
            return None
        except TurnOver as error:
            raise _over() from error
        found: dict[Table, BaseFields] = {}
        tables: tuple[Table, Table] = ("job", "client")
        for table in tables:
            for there in shape:
                if self.naming(table).table in (there.name, there.table_id):
                    self._names[table] = {field.field_id: field.name for field in there.fields}
                    found[table] = _base_fields(there)
        return found

    def _pages(self, table: Table, formula: str | None) -> Iterator[list[Found]]:
        naming = self.naming(table)
        names = self._names.get(table, {})
        shown = {names.get(name, name): column for column, name in naming.renamed.items()}
        offset: str | None = None
        try:
            with self._calls() as (airtable, calls):
                while True:
                    page = calls.read(partial(airtable.page, naming.table, formula, offset))
                    yield [replace(record, fields={shown.get(k, k): v for k, v in record.fields.items()}) for record in page.records]
                    offset = page.offset
                    if offset is None:
                        return
        except TurnOver as error:
            raise _over() from error


def _base_fields(shape: TableShape) -> BaseFields:
    names = frozenset(name for field in shape.fields for name in (field.name, field.field_id))
    return BaseFields(names, frozenset(name for field in shape.fields if field.type in _COMPUTED for name in (field.name, field.field_id)))


def _over() -> AirtableBusy:
    return AirtableBusy("reading Airtable took too long: others are sending, or the tables are large", 60.0)
