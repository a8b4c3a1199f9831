"""Metric values into a row: normalised by type, merged by aggregation; what cannot be used is set aside, alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from contract.errors import ValueRejected
from contract.events import Event
from contract.metrics import Aggregation, Metric, MetricType
from contract.shown import shown
from contract.values import MAX_INTEGER
from worker.fold.outcome import tell_status
from worker.fold.working import Working
from worker.rows import ClientRow

MAX_UNKNOWN = 100
"""Most unknown metrics kept in one row; further ones are dead letters only."""

MAX_UNKNOWN_NAME = 200
MAX_UNKNOWN_VALUE = 400
"""Most characters of an unknown metric's name, and of its value as JSON: what is longer is a dead letter only."""

MAX_REASONS = 100
MAX_REASON = 100
"""Most skip reasons kept in one row, and most characters of one: further ones are counted together as OTHER_REASONS."""

OTHER_REASONS = "(other reasons)"


def observe(working: Working, row: ClientRow, event: Event, values: Mapping[str, Any], *, as_total: bool) -> None:
    """Merge observations (or, `as_total`, totals so far that replace a sum) into the row's metrics."""
    counters = working.rules.counters
    metrics = row.metrics
    for name, value in values.items():
        if name not in counters or value.__class__ is not int or not 0 <= value <= MAX_INTEGER:
            _observe_one(working, row, event, name, value, as_total=as_total)
            continue
        counter = counters[name]
        if as_total or counter not in metrics:
            metrics[counter] = value
        else:
            metrics[counter] += value


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
        if tell_status(working, row, event, usable):
            working.status_from = event
    elif metric.aggregation is Aggregation.LAST:
        _keep_last(working, row, metric, usable)
    elif as_total and metric.aggregation is Aggregation.SUM:
        row.metrics[metric.name] = usable
    else:
        row.metrics[metric.name] = metric.merge(row.metrics.get(metric.name), usable)
    if metric.type is MetricType.DATETIME:
        _span_from(row, metric)
    if metric.name in working.rules.rated:
        working.rated_by = event


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
    fault = None
    if len(name) > MAX_UNKNOWN_NAME or not _is_small(value):
        fault = "an unknown metric, too large to be kept with the row"
    elif old is None and len(row.unknown) >= MAX_UNKNOWN:
        fault = f"more than {MAX_UNKNOWN} unknown metrics in a row"
    if fault is not None:
        working.set_aside("value", fault, event, {name: value}, part)
        working.line_once(row, "notes", f"value dropped: {fault}")
        return
    if old is None:
        told = f"unknown metric kept apart: {name[:100]} (add it to the metrics file to have it counted)"
        working.warn(row, "unknown_metric", told)
    row.unknown[name] = old + value if old.__class__ is int and value.__class__ is int else value


def _is_small(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_UNKNOWN_VALUE
    if isinstance(value, int):
        return abs(value) <= MAX_INTEGER
    if not isinstance(value, list | dict):
        return True
    try:
        return len(msgspec.json.encode(value)) <= MAX_UNKNOWN_VALUE
    except RecursionError:
        return False


def skip(working: Working, row: ClientRow, event: Event) -> None:
    """Count skips by reason code, any string; past MAX_REASONS different ones, together."""
    for reason, count in event.data.skips.items():
        if count.__class__ is not int or not 0 <= count <= MAX_INTEGER:
            fault = f"skips of {reason[:100]!r}: {shown(count)} is not a count"
            working.set_aside("value", fault, event, {reason: count}, "skips")
            working.line(row, "notes", f"value dropped: {fault}")
            continue
        kept = reason[:MAX_REASON]
        if kept not in row.skips and len(row.skips) >= MAX_REASONS - 1:
            kept = OTHER_REASONS
        row.skips[kept] = row.skips.get(kept, 0) + count


def warn(working: Working, row: ClientRow) -> None:
    """A rate above 100 % is shown as 100 %: the note says so, once a rate, since a cap must not hide a double count."""
    rules = working.rules
    metrics = rules.registry.effective(row.metrics) if rules.falls_back else row.metrics
    for rate in rules.client_rates:
        fault = rate.fault(metrics)
        if fault is not None and rate.name not in row.warned:
            row.warned = [*row.warned, rate.name]
            working.changes.counts["integrity_warnings"] += 1
            working.warn(row, "integrity", fault)
