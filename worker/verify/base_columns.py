"""Which columns a base has, and so which can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from contract import keys
from contract.link import Link
from worker.flush.columns import Column, Kind
from worker.flush.drafts import Table
from worker.flush.records import Records
from worker.verify.finding import Finding, Mend
from worker.verify.finding import Kind as FindingKind

Skipped = dict[Table, frozenset[str]]
"""For each table that is there: the columns not to be compared, because the base lacks them or fills them itself."""


def base_columns(
    records: Records, columns: Mapping[Table, Sequence[Column]], absent: Callable[[Table], frozenset[str]]
) -> tuple[Skipped, list[Finding]]:
    """What is not to be compared, and what the base lacks. `absent`: what the flush found lacking, for a token that may not read the
    schema. Raises what Records raises."""
    fields = records.fields()
    skipped: Skipped = {}
    found: list[Finding] = []
    for table, wanted in columns.items():
        naming = records.naming(table)
        if fields is not None and table not in fields:
            found.append(_lacks(naming.table, "no such table"))
            continue
        names = {column.name: naming.of(column.name) for column in wanted if column.kind is not Kind.FORMULA}
        if fields is None:
            lacking, computed = absent(table), frozenset[str]()
        else:
            lacking = frozenset(column for column, name in names.items() if name not in fields[table].there)
            computed = frozenset(column for column, name in names.items() if name in fields[table].computed)
        skipped[table] = lacking | computed
        found += [_lacks(f"{naming.table}.{naming.of(column)}", "no such field") for column in sorted(lacking)]
    return skipped, found


def left_out(link: Link, base_id: str, table: Table) -> frozenset[str]:
    """The columns that the flush leaves out now, as it has noted."""
    prefix = f"absent:{table}:".encode()
    stored: list[bytes] = link.call("HKEYS", keys.flush_counters(base_id))
    return frozenset(name.removeprefix(prefix).decode() for name in stored if name.startswith(prefix))


def _lacks(what: str, found: str) -> Finding:
    hint = "rename it back, or let `runtally airtable init` make it"
    return Finding(kind=FindingKind.COLUMN, place="airtable", what=what, found=found, expected="there", mend=Mend.BY_HAND, hint=hint)
