"""The columns of both tables, and a row's values for them, by display name (spec §1). Pure: no network, no Redis.

The names in the base may be others: naming.py translates. A metric that was never reported is absent, not 0. None empties a cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from contract.metrics import Metric, MetricType
from contract.registry import Registry
from contract.status import Status
from worker.rows import AnyRow, ClientRow, JobRow, text

KEY = "Run ID"
"""The key column of both tables: what an upsert finds a row by."""

LINK = "Job"
"""The client row's link to its job."""

MAX_TEXT = 100_000
"""Characters Airtable keeps in a long text, counted here in UTF-16 units: what JavaScript calls a character."""

_CUT = "(cut: earlier text does not fit into Airtable)\n"
_OWN = frozenset({"Status", "Start Time", "End Time"})
"""Metrics that the row's own columns show."""

Fields = dict[str, Any]


class Kind(StrEnum):
    """What a column holds; schema.py says which field type that is in Airtable."""

    TEXT = "text"
    LONG_TEXT = "long text"
    SELECT = "select"
    INTEGER = "integer"
    DECIMAL = "decimal"
    PERCENT = "percent"
    TIME = "time"
    LINK = "link"
    FORMULA = "formula"


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its display name."""

    name: str
    kind: Kind


_BY_TYPE = {
    MetricType.INTEGER: Kind.INTEGER,
    MetricType.DECIMAL: Kind.DECIMAL,
    MetricType.DATETIME: Kind.TIME,
    MetricType.TEXT: Kind.TEXT,
}
_TIMES = (Column("Start Time", Kind.TIME), Column("End Time", Kind.TIME), Column("Duration", Kind.FORMULA))


def job_columns(registry: Registry) -> tuple[Column, ...]:
    """The columns of Job Tracking, the key first."""
    return (
        Column(KEY, Kind.TEXT),
        Column("Job Type", Kind.SELECT),
        Column("Stream", Kind.INTEGER),
        Column("Status", Kind.SELECT),
        *_TIMES,
        Column("System Notes", Kind.LONG_TEXT),
        Column("Clients Processed", Kind.INTEGER),
        Column("Clients With Errors", Kind.INTEGER),
        Column("Success Rate", Kind.PERCENT),
        *_metric_columns(registry, "job"),
        Column("Last Updated", Kind.TIME),
    )


def client_columns(registry: Registry) -> tuple[Column, ...]:
    """The columns of Client Run Results, the key first."""
    return (
        Column(KEY, Kind.TEXT),
        Column("Client ID", Kind.TEXT),
        Column("Client Name", Kind.TEXT),
        Column(LINK, Kind.LINK),
        Column("Status", Kind.SELECT),
        *_TIMES,
        *_metric_columns(registry, "client"),
        Column("System Notes", Kind.LONG_TEXT),
        Column("Error Details", Kind.LONG_TEXT),
        Column("Progress Log", Kind.LONG_TEXT),
        Column("Last Updated", Kind.TIME),
    )


def job_fields(row: JobRow, registry: Registry) -> Fields:
    """A job's values. Success Rate is that of the clients that ended, empty as long as none has. What cannot be true of
    its rates stands in its notes for as long as it is so: see the fold's derive.py."""
    processed = sum(count for status, count in row.clients.items() if status is not Status.RUNNING)
    return {
        KEY: row.row_id,
        "Job Type": row.job_type,
        "Stream": row.stream,
        **_standing(row),
        "Clients Processed": processed,
        "Clients With Errors": row.with_errors,
        "Success Rate": (processed - row.ended_with_errors) / processed if processed else None,
        **_metric_fields(row, registry, "job"),
        "System Notes": _fit("\n".join(_lines(text(row, "notes"), *_faults(row, registry)))),
    }


def client_fields(row: ClientRow, registry: Registry, job_record: str | None) -> Fields:
    """A client run's values. Without `job_record`, the record ID of its job, an existing link is left as it is.

    A partial row has no metrics: those in Airtable, from before, are nearer the truth."""
    link = {LINK: [job_record]} if job_record else {}
    return {
        KEY: row.row_id,
        "Client ID": row.client,
        "Client Name": row.name,
        **link,
        **_standing(row),
        **({} if row.partial else _metric_fields(row, registry, "client")),
        "System Notes": _fit("\n".join(_lines(text(row, "notes"), _skips(row), _unknown(row)))),
        "Error Details": _fit(text(row, "errors")),
        "Progress Log": _fit(text(row, "progress")),
    }


def _metric_columns(registry: Registry, table: str) -> list[Column]:
    metrics = [Column(metric.name, _BY_TYPE[metric.type]) for metric in _shown(registry, table)]
    return metrics + [Column(rate.name, Kind.PERCENT) for rate in registry.rates_for(table)]


def _shown(registry: Registry, table: str) -> list[Metric]:
    """A table's metrics with a column of their own. A job shows totals, and texts have none."""
    metrics = [metric for metric in registry.for_table(table) if metric.name not in _OWN]
    return [metric for metric in metrics if table != "job" or metric.type is not MetricType.TEXT]


def _metric_fields(row: AnyRow, registry: Registry, table: str) -> Fields:
    # A job's totals are sums of its clients' effective values already: the fold adds those up.
    values = registry.effective(row.metrics) if table == "client" else row.metrics
    fields = {metric.name: _cell(metric, values[metric.name]) for metric in _shown(registry, table) if metric.name in values}
    for rate in registry.rates_for(table):
        share = rate.of(values)
        fields[rate.name] = None if share is None else float(share)
    return fields


def _cell(metric: Metric, value: Any) -> Any:
    """An integer goes as an integer, whatever its size: Airtable rounds above 2^53, we do not."""
    if isinstance(value, Decimal):
        return float(value)
    if metric.type is MetricType.DATETIME:
        return _iso(datetime.fromisoformat(value))
    return _fit(value) if metric.type is MetricType.TEXT else value


def _standing(row: AnyRow) -> Fields:
    """Status and times. A run that is open (again) has no end."""
    return {
        "Status": str(row.status),
        "Start Time": _moment(row.start, row.metrics.get("Start Time"), min),
        "End Time": _moment(row.end, row.metrics.get("End Time"), max) if row.terminal else None,
        "Last Updated": _iso(row.updated),
    }


def _moment(seen: datetime | None, told: Any, choose: Any) -> str | None:
    """The earlier (or later) of the event's time and what was reported as a metric."""
    moments = [moment for moment in (seen, datetime.fromisoformat(told) if told else None) if moment is not None]
    return _iso(choose(moments)) if moments else None


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _skips(row: ClientRow) -> str:
    counted = sorted(row.skips.items(), key=lambda skip: (-skip[1], skip[0]))
    return "Skipped: " + ", ".join(f"{reason} {count}" for reason, count in counted) if counted else ""


def _unknown(row: ClientRow) -> str:
    listed: Mapping[str, Any] = row.unknown
    return "Unknown metrics: " + ", ".join(f"{name} = {value}" for name, value in sorted(listed.items())) if listed else ""


def _faults(row: JobRow, registry: Registry) -> list[str]:
    return [fault for rate in registry.rates_for("job") if (fault := rate.fault(row.metrics)) is not None]


def _lines(*parts: str) -> list[str]:
    return [part for part in parts if part]


def _fit(whole: str) -> str | None:
    """The text, or its end when it is too long for a cell, with a first line that says so. None for no text."""
    units = whole.encode("utf-16-le", "replace")
    if len(units) <= 2 * MAX_TEXT:
        return whole or None
    return _CUT + units[len(units) - 2 * (MAX_TEXT - len(_CUT)) :].decode("utf-16-le", "ignore")
