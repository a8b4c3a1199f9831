"""Everything behind the API in one place: the data file with its stores, and the open list iterators."""

from __future__ import annotations

from airtable_sandbox import errors
from airtable_sandbox.catalog import CatalogStore
from airtable_sandbox.iterators import IteratorStore
from airtable_sandbox.links import LinkStore
from airtable_sandbox.rows import RowStore
from airtable_sandbox.schema import Base, Field, Table
from airtable_sandbox.storage import Storage

FIRST_BASE_ID = "appRuntallySndbox"
FIRST_BASE_NAME = "Runtally"


class Workspace:
    """Opens the data file at `path` (":memory:" keeps nothing) and gives a new one its first, empty base."""

    def __init__(self, path: str) -> None:
        self.storage = Storage(path)
        self.catalog = CatalogStore(self.storage)
        self.rows = RowStore(self.storage)
        self.links = LinkStore(self.storage)
        self.iterators = IteratorStore()
        if not self.catalog.current().bases:
            with self.storage.transaction():
                self.catalog.add_base(Base(FIRST_BASE_ID, FIRST_BASE_NAME))

    def base(self, base_id: str) -> Base:
        """Raises ApiError 403 when there is none."""
        base = self.catalog.current().find(base_id)
        if base is None:
            raise errors.no_such_model()
        return base

    def table(self, base_id: str, name_or_id: str) -> Table:
        """Raises ApiError 403 when there is none."""
        table = self.base(base_id).find(name_or_id)
        if table is None:
            raise errors.no_such_model()
        return table

    def reload(self, table: Table) -> Table:
        """The same table as it is now, after a change of its fields."""
        found = self.catalog.current().table(table.id)
        if found is None:
            raise errors.no_such_model()
        return found

    def linked_table(self, field: Field) -> Table:
        """The table that a link field points to."""
        found = self.catalog.current().table((field.options or {}).get("linkedTableId", ""))
        if found is None:
            raise errors.no_such_model()
        return found

    def close(self) -> None:
        self.storage.close()
