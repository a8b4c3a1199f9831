"""Airtable's Web API, through pyairtable. Each method is exactly one HTTP request, and none is retried here.

All raise AirtableBusy (nothing was applied), AirtableUnclear (it may have been), AirtableRejected (for good), SettingsInvalid (the
address). The token is in no error and no log line.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from pyairtable import Api
from pyairtable.formulas import match

from contract.errors import SettingsInvalid
from contract.settings import Settings
from worker.flush.answers import LOCKOUT_S, understood

MAX_RECORDS = 10
"""Records a request. Source: airtable.com/developers/web/api/update-multiple-records."""

_PAGE = 100
"""Records a page. Source: airtable.com/developers/web/api/list-records."""

_CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Record:
    """A record to write: by `record_id` where it is known, else by its key. `fields`: name in the base -> value, the key included."""

    record_id: str | None
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A record that is there. `created`: ISO time, which sorts as text."""

    record_id: str
    created: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Some records of a table. `offset`: where the next page begins, None after the last."""

    records: list[Found]
    offset: str | None


@dataclass(frozen=True, slots=True)
class FieldShape:
    """A field as the base has it. `choices`: option names of a select; `linked_table_id`: of a link."""

    field_id: str
    name: str
    type: str
    choices: tuple[str, ...] = ()
    linked_table_id: str | None = None


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table as the base has it."""

    table_id: str
    name: str
    fields: tuple[FieldShape, ...] = field(default=())


class Airtable:
    """One base. Holds HTTP connections: one thread at a time."""

    def __init__(self, settings: Settings, lockout_s: float = LOCKOUT_S) -> None:
        """`lockout_s`: the wait that a 429 means when it does not say. Raises SettingsInvalid when the token or the base is not set."""
        if settings.airtable_token is None or not settings.airtable_base_id:
            raise SettingsInvalid("set RUNTALLY_AIRTABLE_TOKEN and RUNTALLY_AIRTABLE_BASE_ID, or use `runtally sandbox`")
        self._secret = settings.airtable_token.get_secret_value()
        self._lockout_s = lockout_s
        read_s = settings.airtable_timeout_s
        connect_s = min(_CONNECT_S, read_s)
        # pyairtable's type says int, but it hands the pair to requests, which takes fractions.
        timeout: Any = (connect_s, read_s)
        self._api = Api(self._secret, endpoint_url=settings.airtable_url, timeout=timeout, retry_strategy=None)
        self._base = self._api.base(settings.airtable_base_id)
        self.request_s = connect_s + read_s
        """Seconds after which a request has been answered or given up, unless the answer trickles in."""

    def close(self) -> None:
        """Close the connections. Never raises."""
        self._api.session.close()

    def _understood(self) -> AbstractContextManager[None]:
        return understood(self._secret, self._lockout_s)

    def upsert(self, table: str, records: Sequence[Record], key_field: str, *, typecast: bool = False) -> list[str]:
        """Write up to 10 records, all or none; their record IDs, in order. Fields not named keep their values.

        `typecast` lets Airtable add select options it lacks.
        """
        bodies: list[dict[str, Any]] = [
            {"id": record.record_id, "fields": record.fields} if record.record_id else {"fields": record.fields} for record in records
        ]
        with self._understood():
            written = self._base.table(table).batch_upsert(bodies, [key_field], typecast=typecast)["records"]
            if len(written) != len(records):
                raise ValueError("another number of records than was sent")
            return [record["id"] for record in written]

    def find(self, table: str, key_field: str, key: str) -> list[Found]:
        """Up to 100 records that have this key, oldest first."""
        with self._understood():
            pages = self._base.table(table).iterate(formula=match({key_field: key}), page_size=100)
            page = next(iter(pages), [])
            found = [Found(record["id"], record["createdTime"], dict(record["fields"])) for record in page]
        return sorted(found, key=lambda record: record.created)

    def page(self, table: str, formula: str | None = None, offset: str | None = None) -> Page:
        """Up to 100 records (those for which the formula holds), and where the next page begins."""
        wanted = {"pageSize": _PAGE, "filterByFormula": formula, "offset": offset}
        with self._understood():
            answer = self._api.get(
                self._base.table(table).urls.records, params={name: value for name, value in wanted.items() if value is not None}
            )
            found = [Found(record["id"], record["createdTime"], dict(record["fields"])) for record in answer["records"]]
            return Page(found, answer.get("offset"))

    def delete(self, table: str, record_ids: Sequence[str]) -> None:
        """Delete up to 10 records, all or none."""
        with self._understood():
            self._base.table(table).batch_delete(record_ids)

    def shape(self) -> list[TableShape]:
        """The tables and fields of the base, as they are now."""
        with self._understood():
            answer = self._api.get(self._base.urls.tables)
            return [TableShape(table["id"], table["name"], tuple(map(_field_shape, table["fields"]))) for table in answer["tables"]]

    def create_table(self, name: str, description: str, fields: Sequence[dict[str, Any]]) -> TableShape:
        """Make a table. `fields` in Airtable's form: name, type, options; the first becomes the primary field."""
        with self._understood():
            body = {"name": name, "description": description, "fields": list(fields)}
            made = self._api.post(self._base.urls.tables, json=body)
            return TableShape(made["id"], made["name"], tuple(map(_field_shape, made["fields"])))

    def create_field(self, table: TableShape, field_body: dict[str, Any]) -> FieldShape:
        """Make a field, in Airtable's form: name, type, options."""
        with self._understood():
            return _field_shape(self._api.post(self._base.table(table.table_id).urls.fields, json=field_body))


def _field_shape(answer: dict[str, Any]) -> FieldShape:
    options = answer.get("options") or {}
    choices = tuple(choice["name"] for choice in options.get("choices", ()))
    return FieldShape(answer["id"], answer["name"], answer["type"], choices, options.get("linkedTableId"))
