"""Reads and writes the schema in the data file. The whole catalog is small: it is loaded at once and kept until it changes."""

from __future__ import annotations

import json
from collections import defaultdict

from airtable_sandbox.schema import Base, Catalog, Field, Table
from airtable_sandbox.storage import Storage


class CatalogStore:
    """The only reader and writer of the tables `bases`, `tables` and `fields`. Writers must be inside a transaction."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._loaded: Catalog | None = None
        self._loaded_at = -1

    def current(self) -> Catalog:
        """The schema as it is now, within an open transaction too."""
        if self._loaded is None or self._loaded_at != self._storage.schema_changes:
            self._loaded_at = self._storage.schema_changes
            self._loaded = self._load()
        return self._loaded

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

    def add_base(self, base_id: str, name: str) -> None:
        self._storage.write_schema("INSERT INTO bases (id, name) VALUES (?, ?)", (base_id, name))

    def add_table(self, table: Table) -> None:
        """Stores the table and its fields, in their order."""
        values = (table.id, table.base_id, table.name, table.view_id, table.description)
        self._storage.write_schema("INSERT INTO tables (id, base_id, name, view_id, description) VALUES (?, ?, ?, ?, ?)", values)
        for field in table.fields:
            self.add_field(table.id, field)

    def rename_table(self, table_id: str, name: str, description: str | None) -> None:
        self._storage.write_schema("UPDATE tables SET name = ?, description = ? WHERE id = ?", (name, description, table_id))

    def add_field(self, table_id: str, field: Field) -> None:
        values = (field.id, table_id, field.name, field.type, field.description, _packed(field))
        self._storage.write_schema("INSERT INTO fields (id, table_id, name, type, description, options) VALUES (?, ?, ?, ?, ?, ?)", values)

    def update_field(self, field: Field) -> None:
        """Stores name, description and options of an existing field; its type and place stay."""
        values = (field.name, field.description, _packed(field), field.id)
        self._storage.write_schema("UPDATE fields SET name = ?, description = ?, options = ? WHERE id = ?", values)


def _packed(field: Field) -> str | None:
    return None if field.options is None else json.dumps(field.options)
