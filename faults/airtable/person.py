"""What people do to a base in Airtable's own window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyairtable import Api

from airtable_sandbox import FIRST_BASE_ID, Remote


class Person:
    """Past limits and counters, through the sandbox's door for people."""

    def __init__(self, remote: Remote) -> None:
        self._api = Api(remote.token, endpoint_url=remote.human_url)
        self._meta = f"{remote.human_url}/v0/meta/bases/{FIRST_BASE_ID}/tables"

    def table(self, name: str) -> Any:
        return self._api.table(FIRST_BASE_ID, name)

    def rename_field(self, table: str, field: str, name: str) -> None:
        self._change(table, field, lambda _: {"name": name})

    def remove_option(self, table: str, field: str, option: str) -> None:
        """As a person does who takes an option away: no API does it, so the field is made anew without it."""
        options = [known for known in self._options(table, field) if known != option]
        self.rename_field(table, field, f"{field} (old)")
        self.table(table).create_field(field, "singleSelect", options={"choices": [{"name": name} for name in options]})

    def add_option(self, table: str, field: str, option: str) -> None:
        self._change(table, field, lambda known: {"options": {"choices": [*known["options"]["choices"], {"name": option}]}})

    def _options(self, table: str, field: str) -> list[str]:
        _, known = self._find(table, field)
        return [choice["name"] for choice in known["options"]["choices"]]

    def _find(self, table: str, field: str) -> tuple[str, dict[str, Any]]:
        shape = next(shape for shape in self._api.get(self._meta)["tables"] if shape["name"] == table)
        return shape["id"], next(known for known in shape["fields"] if known["name"] == field)

    def _change(self, table: str, field: str, changed: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        table_id, known = self._find(table, field)
        self._api.patch(f"{self._meta}/{table_id}/fields/{known['id']}", json=changed(known))
