"""The rows as they ought to be: one pure fold of the whole log, in one process, from nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from contract import keys
from contract.events import decode_batch
from contract.link import Link
from contract.registry import Registry
from contract.settings import Settings
from worker.fold import Entry, Known, Rules, fold
from worker.rows import AnyRow

_NOT_OF_EVENTS = {"version", "updated", "other"}
"""Fields of a row that tell of commits, or are a newer version's, and say nothing of events."""


def folded(link: Link, settings: Settings, registry: Registry) -> dict[str, AnyRow]:
    """Row ID -> row, from the log of all partitions, of which nothing must have been trimmed."""
    rows: dict[str, AnyRow] = {}
    for partition in range(settings.partitions):
        log = [(offset.decode(), fields[1]) for offset, fields in link.call("XRANGE", keys.log(partition), "-", "+")]
        entries = [Entry(offset, int(offset.split("-")[0]), decode_batch(batch)) for offset, batch in log]
        if entries:
            rows |= fold(Rules(registry, partition, settings.partitions), Known(), entries).rows
    return rows


def differences(found: Mapping[str, AnyRow], expected: Mapping[str, AnyRow]) -> list[str]:
    """What differs, in words: rows missing or too many, and each field that is not as it ought to be."""
    told = [f"{row_id}: no row" for row_id in expected.keys() - found.keys()]
    told += [f"{row_id}: a row that nothing was sent for" for row_id in found.keys() - expected.keys()]
    for row_id in expected.keys() & found.keys():
        have, want = _values(found[row_id]), _values(expected[row_id])
        told += [f"{row_id}.{name}: {have.get(name)!r}, not {want[name]!r}" for name in want if have.get(name) != want[name]]
    return told


def _values(row: AnyRow) -> dict[str, Any]:
    return {name: value for name, value in structs.asdict(row).items() if name not in _NOT_OF_EVENTS}
