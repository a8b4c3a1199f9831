"""What goes into the log, as the gateway hands it on."""

from __future__ import annotations

import msgspec


class Totals(msgspec.Struct, frozen=True, gc=False):
    """That an event tells totals of a row's metrics, and when it happened, in us since the epoch."""

    row_id: str
    metrics: tuple[str, ...]
    at_us: int


class Entry(msgspec.Struct, frozen=True, gc=False):
    """Encoded events, usually one, else with commas between them, and the run that decides their partition.

    `totals`, of a single event only: it is left out where the log has later totals of the same row and metric."""

    run: str
    body: bytes
    events: int = 1
    totals: Totals | None = None


Outdated = dict[Entry, list[str]]
"""Entries that were left out -> the metrics of which the log has later totals."""
