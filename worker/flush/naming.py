"""What the tables and columns are called in the base: section `[airtable]` of the metrics file.

[airtable]
job_table = "Jobs"

[airtable.client_fields]
"Errors" = "Fehler"          # display name = name (or field ID) in the base
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.errors import SettingsInvalid
from contract.registry import Registry
from worker.flush.columns import Column, client_columns, job_columns


@dataclass(frozen=True, slots=True)
class TableNaming:
    """One table's name in the base, and those of its columns that differ from their display names."""

    table: str
    renamed: Mapping[str, str] = field(default_factory=dict)

    def of(self, column: str) -> str:
        """The name of a column in the base."""
        return self.renamed.get(column, column)

    def fields(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values by display name -> values by name in the base."""
        return {self.of(column): value for column, value in values.items()}


@dataclass(frozen=True, slots=True)
class Naming:
    """The names of both tables."""

    job: TableNaming = TableNaming("Job Tracking")
    client: TableNaming = TableNaming("Client Run Results")


def load_naming(path: Path | None, registry: Registry) -> Naming:
    """The names a metrics file gives, the defaults where it gives none (or is None).

    Raises SettingsInvalid for a file that cannot be read, a name that no table or column has, or two columns of one name.
    """
    if path is None:
        return Naming()
    section = _section(path)
    unknown = sorted(set(section) - {"job_table", "client_table", "job_fields", "client_fields"})
    if unknown:
        raise SettingsInvalid(f"{path}: [airtable] knows job_table, client_table, job_fields and client_fields, not {', '.join(unknown)}")
    default = Naming()
    return Naming(
        job=_table(path, section, "job", default.job.table, job_columns(registry)),
        client=_table(path, section, "client", default.client.table, client_columns(registry)),
    )


def _section(path: Path) -> dict[str, Any]:
    try:
        section = tomllib.loads(path.read_text("utf-8")).get("airtable", {})
    except (OSError, ValueError) as error:
        raise SettingsInvalid(f"{path}: {error}") from error
    if not isinstance(section, dict):
        raise SettingsInvalid(f"{path}: airtable is to be a section, [airtable]")
    return section


def _table(path: Path, section: Mapping[str, Any], which: str, default: str, columns: Iterable[Column]) -> TableNaming:
    table = section.get(f"{which}_table", default)
    renamed = section.get(f"{which}_fields", {})
    known = [column.name for column in columns]
    if not isinstance(table, str) or not table.strip():
        raise SettingsInvalid(f"{path}: {which}_table is to be a table's name or ID")
    if not isinstance(renamed, dict) or not all(isinstance(name, str) and name.strip() for name in renamed.values()):
        raise SettingsInvalid(f'{path}: [airtable.{which}_fields] is to hold lines of the form "Errors" = "name in the base"')
    unknown = sorted(set(renamed) - set(known))
    if unknown:
        raise SettingsInvalid(f"{path}: [airtable.{which}_fields] names {', '.join(unknown)}; the columns are {', '.join(known)}")
    names = [renamed.get(name, name) for name in known]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsInvalid(f"{path}: [airtable.{which}_fields] gives several columns the name {', '.join(twice)}")
    return TableNaming(table, dict(renamed))
