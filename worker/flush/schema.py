"""The base's schema: what the tables need, what a base lacks of it, and making it.

Types and what can be made: airtable.com/developers/web/api/field-model. A formula cannot be made through the API: it is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from contract.errors import AirtableBusy
from contract.link import Link
from contract.registry import Registry
from contract.settings import Settings
from contract.status import Status
from worker.flush.admission import Admission
from worker.flush.airtable import Airtable, FieldShape, TableShape
from worker.flush.calls import Calls
from worker.flush.columns import KEY, Column, Kind, client_columns, job_columns
from worker.flush.naming import TableNaming, load_naming
from worker.flush.pace import Pace
from worker.flush.standstill import Standstill
from worker.flush.tally import Tally
from worker.flush.turn import Turn, TurnOver

_TIME = {"dateFormat": {"name": "iso"}, "timeFormat": {"name": "24hour"}, "timeZone": "utc"}
_LINK = "multipleRecordLinks"

_MADE_AS: dict[Kind, tuple[str, dict[str, Any] | None]] = {
    Kind.TEXT: ("singleLineText", None),
    Kind.LONG_TEXT: ("multilineText", None),
    Kind.SELECT: ("singleSelect", {"choices": []}),
    Kind.INTEGER: ("number", {"precision": 0}),
    Kind.DECIMAL: ("number", {"precision": 4}),
    Kind.PERCENT: ("percent", {"precision": 1}),
    Kind.TIME: ("dateTime", _TIME),
    Kind.LINK: (_LINK, None),
}
_TEXTS = frozenset({"singleLineText", "multilineText", "richText"})
_NUMBERS = frozenset({"number", "currency", "percent"})
_TAKEN_BY: dict[Kind, frozenset[str]] = {
    Kind.TEXT: _TEXTS | {"email", "url"},
    Kind.LONG_TEXT: _TEXTS,
    Kind.SELECT: _TEXTS | {"singleSelect"},
    Kind.INTEGER: _NUMBERS,
    Kind.DECIMAL: _NUMBERS,
    Kind.PERCENT: _NUMBERS,
    Kind.TIME: frozenset({"dateTime"}),
    Kind.LINK: frozenset({_LINK}),
}
"""Field types that take what we write, whoever made them."""

_PATIENCE_S = 120.0
_RETRY_S = 30.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that the base lacks or has wrong. `field` is None for a whole table. `mend`: what to do about it."""

    table: str
    field: str | None
    fault: str
    mend: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """What init made (or, on a dry run, would make), as "table" or "table.field", and what is left for a person to do."""

    made: tuple[str, ...]
    by_hand: tuple[Fault, ...]


def check_base(settings: Settings, link: Link, registry: Registry, *, pace: Pace | None = None) -> list[Fault]:
    """What the base lacks or has wrong; empty when all is well. One request, within the limit. Raises as `init_base`."""
    with _schema(settings, link, registry, pace or Pace()) as schema:
        return schema.faults()


def init_base(settings: Settings, link: Link, registry: Registry, *, dry_run: bool = False) -> Prepared:
    """Make the tables and fields that are missing. Changes and deletes nothing that is there; safe to repeat.

    Raises SettingsInvalid, AirtableRejected (the token may not change the schema), AirtableBusy (at the latest after two minutes),
    AirtableUnclear (run it again), StoreUnavailable, StoreRefused.
    """
    with _schema(settings, link, registry, Pace()) as schema:
        return schema.prepare(dry_run)


def duration_formula(naming: TableNaming) -> str:
    """The formula of the column Duration, seconds; empty while the run has no end."""
    end, start = naming.of("End Time"), naming.of("Start Time")
    return f"IF({{{end}}}, DATETIME_DIFF({{{end}}}, {{{start}}}, 'seconds'))"


@contextmanager
def _schema(settings: Settings, link: Link, registry: Registry, pace: Pace) -> Iterator[_Schema]:
    with closing(Airtable(settings, pace.lockout_s)) as airtable:
        try:
            yield _Schema(settings, link, registry, airtable, pace)
        except TurnOver as error:
            raise AirtableBusy("Airtable's limit left no time for this: others are sending", _RETRY_S) from error


class _Schema:
    """The schema as it should be, beside the base as it is."""

    def __init__(self, settings: Settings, link: Link, registry: Registry, airtable: Airtable, pace: Pace) -> None:
        self._airtable = airtable
        base_id = settings.airtable_base_id or ""
        tally = Tally(link, base_id)
        admission = Admission(settings, link, tally, airtable.request_s, pace)
        self._calls = Calls(admission, Turn(lambda: False, _PATIENCE_S), tally)
        self._standstill = Standstill(settings, link, tally, pace)
        # A person asks: what was refused may be mended by now.
        admission.budget.lift()
        naming = load_naming(settings.metrics_file, registry)
        self._wanted = ((naming.job, job_columns(registry)), (naming.client, client_columns(registry)))

    def faults(self) -> list[Fault]:
        shape = self._shape()
        self._standstill.lift()
        found: list[Fault] = []
        for naming, columns in self._wanted:
            table = _table(shape, naming.table)
            if table is None:
                found.append(Fault(naming.table, None, "the table is missing", "runtally airtable init"))
            else:
                found += [fault for column in columns if (fault := self._fault(shape, table, naming, column))]
        return found

    def prepare(self, dry_run: bool) -> Prepared:
        made: list[str] = []
        for naming, columns in self._wanted:
            shape = self._shape()
            table = _table(shape, naming.table)
            if table is None:
                made.append(naming.table)
                if not dry_run:
                    self._make_table(shape, naming, columns)
                continue
            lacking = [column for column in columns if column.kind is not Kind.FORMULA and _field(table, naming.of(column.name)) is None]
            for column in lacking:
                made.append(f"{naming.table}.{naming.of(column.name)}")
                if not dry_run:
                    self._make_field(shape, table, naming, column)
        return Prepared(tuple(made), tuple(fault for fault in self.faults() if not dry_run or fault.mend != "runtally airtable init"))

    def _shape(self) -> list[TableShape]:
        return self._calls.read(self._airtable.shape)

    def _make_table(self, shape: list[TableShape], naming: TableNaming, columns: Sequence[Column]) -> None:
        bodies = [self._body(shape, naming, column) for column in columns if column.kind is not Kind.FORMULA]
        self._calls.write(lambda: self._airtable.create_table(naming.table, "Written by Runtally.", bodies))

    def _make_field(self, shape: list[TableShape], table: TableShape, naming: TableNaming, column: Column) -> None:
        body = self._body(shape, naming, column)
        self._calls.write(lambda: self._airtable.create_field(table, body))

    def _body(self, shape: list[TableShape], naming: TableNaming, column: Column) -> dict[str, Any]:
        kind, options = _MADE_AS[column.kind]
        if column.name == "Status":
            options = {"choices": [{"name": str(status)} for status in Status]}
        if column.kind is Kind.LINK:
            job_table = _table(shape, self._wanted[0][0].table)
            options = {"linkedTableId": job_table.table_id if job_table else None}
        body = {"name": naming.of(column.name), "type": kind}
        return body if options is None else body | {"options": options}

    def _fault(self, shape: list[TableShape], table: TableShape, naming: TableNaming, column: Column) -> Fault | None:
        name = naming.of(column.name)
        field = _field(table, name)
        if column.kind is Kind.FORMULA:
            mend = f"add a formula field: {duration_formula(naming)}"
            return None if field else Fault(table.name, name, "the field is missing, and the API makes no formulas", mend)
        if field is None:
            return Fault(table.name, name, "the field is missing", "runtally airtable init")
        if field.type not in _TAKEN_BY[column.kind]:
            wanted = _MADE_AS[column.kind][0]
            mend = f"change its type to {wanted}, or give it another name and run `runtally airtable init`"
            return Fault(table.name, name, f"the field is a {field.type}, which does not take a {column.kind}", mend)
        return self._deeper_fault(shape, table, column, field)

    def _deeper_fault(self, shape: list[TableShape], table: TableShape, column: Column, field: FieldShape) -> Fault | None:
        if column.kind is Kind.LINK:
            job_table = _table(shape, self._wanted[0][0].table)
            if job_table is not None and field.linked_table_id != job_table.table_id:
                return Fault(table.name, field.name, "the field links to another table", f"let it link to {job_table.name}")
        lacking = [str(status) for status in Status if status not in field.choices]
        if column.name == "Status" and field.type == "singleSelect" and lacking:
            return Fault(table.name, field.name, f"the options {', '.join(lacking)} are missing", "add them to the field")
        if column.name == KEY and field.type == "richText":
            return Fault(table.name, field.name, "rows cannot be found by a rich text", "change its type to singleLineText")
        return None


def _table(shape: Sequence[TableShape], name: str) -> TableShape | None:
    return next((table for table in shape if name in {table.name, table.table_id}), None)


def _field(table: TableShape, name: str) -> FieldShape | None:
    return next((field for field in table.fields if name in {field.name, field.field_id}), None)
