"""The schema as immutable values: bases hold tables, tables hold fields. Reading it never touches the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LINK = "multipleRecordLinks"
FORMULA = "formula"


@dataclass(frozen=True)
class Field:
    """One column. `options` has Airtable's shape for the type and is never changed in place."""

    id: str
    name: str
    type: str
    description: str | None = None
    options: dict[str, Any] | None = None

    @property
    def choices(self) -> list[str]:
        """The option names of a select field, in order; empty for other types."""
        return [choice["name"] for choice in (self.options or {}).get("choices", [])]

    def as_json(self) -> dict[str, Any]:
        """As the Meta API shows it: absent description and options are left out."""
        shown: dict[str, Any] = {"type": self.type, "id": self.id, "name": self.name}
        if self.description is not None:
            shown["description"] = self.description
        if self.options is not None:
            shown["options"] = self.options
        return shown


@dataclass(frozen=True)
class Table:
    """One table; its first field is the primary one."""

    id: str
    base_id: str
    name: str
    view_id: str
    description: str | None
    fields: tuple[Field, ...]

    @property
    def primary(self) -> Field:
        return self.fields[0]

    def find(self, name_or_id: str) -> Field | None:
        """The field of this ID or name. IDs win, as in Airtable."""
        by_id = next((f for f in self.fields if f.id == name_or_id), None)
        return by_id or next((f for f in self.fields if f.name == name_or_id), None)

    def of_type(self, field_type: str) -> list[Field]:
        return [f for f in self.fields if f.type == field_type]

    def as_json(self) -> dict[str, Any]:
        """As the Meta API shows it, with the one grid view that every table here has."""
        shown: dict[str, Any] = {"id": self.id, "name": self.name, "primaryFieldId": self.primary.id}
        if self.description is not None:
            shown["description"] = self.description
        shown["fields"] = [f.as_json() for f in self.fields]
        shown["views"] = [{"id": self.view_id, "name": "Grid view", "type": "grid"}]
        return shown


@dataclass(frozen=True)
class Base:
    id: str
    name: str
    tables: tuple[Table, ...] = field(default=())

    def find(self, name_or_id: str) -> Table | None:
        """The table of this ID or name. IDs win, as in Airtable."""
        by_id = next((t for t in self.tables if t.id == name_or_id), None)
        return by_id or next((t for t in self.tables if t.name == name_or_id), None)


@dataclass(frozen=True)
class Catalog:
    """All bases, oldest first."""

    bases: tuple[Base, ...]

    def find(self, base_id: str) -> Base | None:
        return next((b for b in self.bases if b.id == base_id), None)

    def table(self, table_id: str) -> Table | None:
        return next((t for b in self.bases for t in b.tables if t.id == table_id), None)
