"""Metric values into a row: normalised by type, merged by aggregation; what cannot be used is set aside, alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from contract.errors import ValueRejected
from contract.events import Event
from contract.metrics import Aggregation, Metric, MetricType
from contract.values import MAX_INTEGER
from worker.fold.outcome import tell_status
from worker.fold.working import Working
from worker.rows import ClientRow

_MAX_UNKNOWN = 100
"""Most unknown metrics kept in one row; further ones are dead letters only."""


def observe(working: Working, row: ClientRow, event: Event, values: dict[str, Any], *, as_total: bool) -> None:
    """Merge observations (or, `as_total`, totals so far that replace a sum) into the row's metrics."""
    counters = working.rules.counters
    metrics = row.metrics
    for name, value in values.items():
        counter = counters.get(name)
        if counter is not None and value.__class__ is int and 0 <= value <= MAX_INTEGER:
            metrics[counter] = value if as_total else metrics.get(counter, 0) + value
        else:
            _observe_one(working, row, event, name, value, as_total=as_total)


def _observe_one(working: Working, row: ClientRow, event: Event, name: str, value: Any, *, as_total: bool) -> None:
    metric = working.rules.registry.resolve(name, row.client)
    part = "totals" if as_total else "metrics"
    if metric is None:
        _keep_apart(working, row, event, name, value, part)
        return
    try:
        usable = metric.normalise(value)
    except ValueRejected as error:
        reason = f"{metric.name}: {error}"
        working.set_aside("value", reason, event, {name: value}, part)
        working.line(row, "notes", f"value dropped: {reason}")
        return
    if metric.name == "Status":
        tell_status(working, row, event, usable)
    elif metric.aggregation is Aggregation.LAST:
        _keep_last(working, row, metric, usable)
    elif as_total and metric.aggregation is Aggregation.SUM:
        row.metrics[metric.name] = usable
    else:
        row.metrics[metric.name] = metric.merge(row.metrics.get(metric.name), usable)
    if metric.type is MetricType.DATETIME:
        _span_from(row, metric)


def _keep_last(working: Working, row: ClientRow, metric: Metric, value: Any) -> None:
    stamp = row.stamps.get(metric.name)
    if stamp is None or working.at >= stamp:
        row.metrics[metric.name] = value
        row.stamps[metric.name] = working.at


def _span_from(row: ClientRow, metric: Metric) -> None:
    """Reported start and end times move the row's own, outwards only."""
    if metric.name == "Start Time":
        at = datetime.fromisoformat(row.metrics.pop(metric.name))
        row.start = at if row.start is None else min(row.start, at)
    elif metric.name == "End Time":
        at = datetime.fromisoformat(row.metrics.pop(metric.name))
        row.end = at if row.end is None else max(row.end, at)


def _keep_apart(working: Working, row: ClientRow, event: Event, name: str, value: Any, part: str) -> None:
    """An unknown metric: whole numbers are added up, of anything else the last is kept; noted once a row."""
    working.changes.counts["unknown_metrics"] += 1
    old = row.unknown.get(name)
    if old is None:
        if len(row.unknown) >= _MAX_UNKNOWN:
            working.set_aside("value", f"more than {_MAX_UNKNOWN} unknown metrics in a row", event, {name: value}, part)
            return
        working.line(row, "notes", f"unknown metric kept apart: {name[:100]} (add it to the metrics file to have it counted)")
    row.unknown[name] = old + value if old.__class__ is int and value.__class__ is int else value


def skip(working: Working, row: ClientRow, event: Event) -> None:
    """Count skips by reason code, any string."""
    for reason, count in event.data.skips.items():
        if count.__class__ is not int or not 0 <= count <= MAX_INTEGER:
            fault = f"skips of {reason[:100]!r}: {str(count)[:100]!r} is not a count"
            working.set_aside("value", fault, event, {reason: count}, "skips")
            continue
        row.skips[reason] = row.skips.get(reason, 0) + count


def warn(working: Working, row: ClientRow) -> None:
    """A rate above 100 % is shown as 100 %: the note says so, once a rate, since a cap must not hide a double count."""
    for rate in working.rules.registry.rates:
        _, capped = rate.of(row.metrics)
        if capped and rate.name not in row.warned:
            row.warned = [*row.warned, rate.name]
            working.changes.counts["integrity_warnings"] += 1
            working.line(row, "notes", f"integrity: {rate.numerator} exceeds {rate.denominator}; {rate.name} is shown as 100 %")
