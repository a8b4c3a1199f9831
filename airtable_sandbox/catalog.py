"""Reads and writes the schema in the data file. The whole catalog is kept in memory; each change is made in both places."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from typing import TypeVar

from airtable_sandbox.schema import Base, Catalog, Field, Table
from airtable_sandbox.storage import Storage

_Model = TypeVar("_Model", bound=Base | Table | Field)


class CatalogStore:
    """The only reader and writer of the tables `bases`, `tables` and `fields`. Writers must be inside a transaction."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._catalog = self._load()
        self._rollbacks = storage.rollbacks

    def current(self) -> Catalog:
        """The schema as it is now, within an open transaction too. Read again after a rollback, which may have undone a change."""
        if self._rollbacks != self._storage.rollbacks:
            self._rollbacks = self._storage.rollbacks
            self._catalog = self._load()
        return self._catalog

    def _load(self) -> Catalog:
        fields: dict[str, list[Field]] = defaultdict(list)
        for row in self._storage.rows("SELECT * FROM fields ORDER BY position"):
            options = json.loads(row["options"]) if row["options"] is not None else None
            fields[row["table_id"]].append(Field(row["id"], row["name"], row["type"], row["description"], options))
        tables: dict[str, list[Table]] = defaultdict(list)
        for row in self._storage.rows("SELECT * FROM tables ORDER BY position"):
            own = tuple(fields[row["id"]])
            tables[row["base_id"]].append(Table(row["id"], row["base_id"], row["name"], row["view_id"], row["description"], own))
        bases = self._storage.rows("SELECT * FROM bases ORDER BY position")
        return Catalog(tuple(Base(row["id"], row["name"], tuple(tables[row["id"]])) for row in bases))

    def add_base(self, base: Base) -> None:
        """Stores a base that has no tables yet."""
        self._storage.write("INSERT INTO bases (id, name) VALUES (?, ?)", (base.id, base.name))
        self._put_base(base)

    def add_table(self, table: Table) -> None:
        """Stores a table that has no fields yet."""
        values = (table.id, table.base_id, table.name, table.view_id, table.description)
        self._storage.write("INSERT INTO tables (id, base_id, name, view_id, description) VALUES (?, ?, ?, ?, ?)", values)
        self._put_table(table)

    def rename_table(self, table: Table, name: str, description: str | None) -> None:
        self._storage.write("UPDATE tables SET name = ?, description = ? WHERE id = ?", (name, description, table.id))
        self._put_table(replace(table, name=name, description=description))

    def add_field(self, table: Table, field: Field) -> None:
        """Stores a new last field."""
        values = (field.id, table.id, field.name, field.type, field.description, _packed(field))
        self._storage.write("INSERT INTO fields (id, table_id, name, type, description, options) VALUES (?, ?, ?, ?, ?, ?)", values)
        self._put_field(table, field)

    def update_field(self, table: Table, field: Field) -> None:
        """Stores name, description and options of an existing field; its type and place stay."""
        values = (field.name, field.description, _packed(field), field.id)
        self._storage.write("UPDATE fields SET name = ?, description = ?, options = ? WHERE id = ?", values)
        self._put_field(table, field)

    def _put_base(self, base: Base) -> None:
        self._catalog = Catalog(_with(self.current().bases, base))

    def _put_table(self, table: Table) -> None:
        base = next(base for base in self.current().bases if base.id == table.base_id)
        self._put_base(replace(base, tables=_with(base.tables, table)))

    def _put_field(self, table: Table, field: Field) -> None:
        now = self.current().table(table.id) or table
        self._put_table(replace(now, fields=_with(now.fields, field)))


def _with(models: tuple[_Model, ...], new: _Model) -> tuple[_Model, ...]:
    """The models with the one of this ID replaced, or with the new one at the end."""
    if all(model.id != new.id for model in models):
        return (*models, new)
    return tuple(new if model.id == new.id else model for model in models)


def _packed(field: Field) -> str | None:
    return None if field.options is None else json.dumps(field.options)
