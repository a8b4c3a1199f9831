"""Metrics and rates from a TOML file. The form, with every key, is in docs/metrics.md.

Every fault is a SettingsInvalid that names the file, the table and what to mend; a misspelt key is never passed over.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from contract.errors import SettingsInvalid
from contract.metrics import BOTH_TABLES, Aggregation, Metric, MetricType, Rate
from contract.run_id import MAX_CLIENT_CHARS
from contract.shown import shown
from contract.snake_case import snake_case

_METRIC_KEYS = frozenset({"type", "aggregation", "unit", "help", "tables", "work", "minimum", "clients", "fallback"})
_RATE_KEYS = frozenset({"numerator", "denominator", "help", "tables"})
_OVERRIDES = frozenset({"unit", "help", "tables"})
_FOREIGN = frozenset({"airtable"})
"""Tables of the same file that somebody else reads."""

_NUMERIC = frozenset({MetricType.INTEGER, MetricType.DECIMAL})
_DEFAULT_AGGREGATION = {MetricType.INTEGER: Aggregation.SUM, MetricType.DECIMAL: Aggregation.SUM, MetricType.TEXT: Aggregation.LAST}
_AGGREGATIONS = {
    MetricType.INTEGER: frozenset(Aggregation),
    MetricType.DECIMAL: frozenset(Aggregation),
    MetricType.DATETIME: frozenset({Aggregation.MIN, Aggregation.MAX, Aggregation.LAST}),
    MetricType.TEXT: frozenset({Aggregation.LAST}),
}

# Columns the tables have anyway (spec §1): a metric of such a name would write over them.
_COLUMNS = (
    "Run ID",
    "Job Type",
    "Job",
    "Stream",
    "Duration",
    "System Notes",
    "Clients Processed",
    "Clients With Errors",
    "Success Rate",
    "Last Updated",
    "Client ID",
    "Client Name",
    "Error Details",
    "Progress Log",
)
_RESERVED = frozenset(map(snake_case, _COLUMNS))
_controls = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search

_Choice = TypeVar("_Choice", bound=StrEnum)


def read_registry_file(path: Path, metrics: Sequence[Metric], rates: Sequence[Rate]) -> tuple[list[Metric], list[Rate]]:
    """All metrics and rates: those given, with what the file adds and overrides. Raises SettingsInvalid."""
    tables = _load(path)
    by_key = {metric.key: metric for metric in metrics}
    given = frozenset(by_key)
    for name, keys in _section(path, tables, "metrics"):
        table = _Table(path, "metrics", name, keys, _METRIC_KEYS)
        key = table.key()
        if key in given:
            by_key[key] = _override(table, by_key[key])
        elif key in by_key:
            raise table.fault(f"has the same name as {by_key[key].name!r}: names must differ in letters or digits, not only in case")
        else:
            by_key[key] = _metric(table, key)
    _check_fallbacks(path, by_key)
    return list(by_key.values()), [*rates, *_rates(path, tables, by_key, rates)]


def _load(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_bytes().decode(), parse_float=Decimal)
    except OSError as error:
        raise SettingsInvalid(f"{path}: cannot be read: {error.strerror}; mend RUNTALLY_METRICS_FILE or the file's rights") from error
    except (ValueError, RecursionError) as error:
        raise SettingsInvalid(f"{path}: is no TOML: {error}") from error
    for name in tables.keys() - _FOREIGN - {"metrics", "rates"}:
        raise SettingsInvalid(f'{path}: [{name}] is unknown: metrics go to [metrics."<name>"], rates to [rates."<name>"]')
    return tables


def _section(path: Path, tables: Mapping[str, Any], section: str) -> list[tuple[str, dict[str, Any]]]:
    content = tables.get(section, {})
    for keys in content.values() if isinstance(content, dict) else [None]:
        if not isinstance(keys, dict):
            raise SettingsInvalid(f'{path}: [{section}] must hold tables only, such as [{section}."Flights Processed"]')
    return list(content.items())


class _Table:
    """One `[metrics."…"]` or `[rates."…"]`: reads its keys, and knows where a fault stands."""

    def __init__(self, path: Path, section: str, name: str, keys: Mapping[str, Any], known: frozenset[str]) -> None:
        self.path = path
        self.name = name
        self.keys = keys
        self._section = section
        for key in keys.keys() - known:
            raise self.fault(f"has an unknown key {key!r}: use {', '.join(sorted(known))}")

    def fault(self, text: str) -> SettingsInvalid:
        """The error to raise: file, table, and what is wrong."""
        return SettingsInvalid(f'{self.path}: [{self._section}."{self.name}"] {text}')

    def key(self) -> str:
        """The snake_case key of the table's name, once that is fit to be a name."""
        if _controls(self.name) or not 1 <= len(self.name) <= 100 or self.name != self.name.strip():
            raise self.fault("is no name: use 1 to 100 characters in one line, without space around them")
        key = snake_case(self.name)
        if not key:
            raise self.fault("is no name: use letters or digits")
        if key in _RESERVED:
            raise self.fault("is the name of a column that the tables have anyway: choose another")
        return key

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without a default it must be there."""
        value = self.keys.get(key, default)
        if not isinstance(value, str):
            raise self.fault(f"needs {key}, a text" if value is None else f"has {key} = {shown(value)}: it must be a text in quotes")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty if absent."""
        value = self.keys.get(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise self.fault(f"has {key} = {shown(value)}: it must be a list of texts in quotes")
        return tuple(value)

    def flag(self, key: str) -> bool:
        """true or false; false if absent."""
        value = self.keys.get(key, False)
        if not isinstance(value, bool):
            raise self.fault(f"has {key} = {shown(value)}: it must be true or false, without quotes")
        return value

    def choice(self, key: str, choices: type[_Choice], default: _Choice | None) -> _Choice:
        """One of an enum's words."""
        word = self.text(key, default)
        if word not in list(choices):
            raise self.fault(f"has {key} = {shown(word)}: use {', '.join(choices)}")
        return choices(word)

    def tables(self, default: frozenset[str], aggregation: Aggregation | None = None) -> frozenset[str]:
        """Where to show it. A job shows totals over its clients, and a metric of which the last value counts has none."""
        tables = frozenset(self.texts("tables"))
        if not tables <= BOTH_TABLES or ("tables" in self.keys and not tables):
            raise self.fault(f'has tables = {shown(self.keys["tables"])}: use ["job"], ["client"] or ["job", "client"]')
        if aggregation is Aggregation.LAST:
            if "job" in tables:
                raise self.fault('has "job" in tables, but of the last value of each client there is no total for a job: use ["client"]')
            return tables or default & {"client"}
        return tables or default


def _override(table: _Table, metric: Metric) -> Metric:
    if table.name not in (metric.name, metric.key):
        raise table.fault(f"has the same name as the shipped {metric.name!r}: write it so, or choose another")
    for key, value in table.keys.items():
        fixed = {"type": str(metric.type), "aggregation": str(metric.aggregation)}.get(key)
        if key not in _OVERRIDES and value != fixed:
            raise table.fault(f"is a shipped metric, whose {key} is fixed: only {', '.join(sorted(_OVERRIDES))} can be set")
    tables = table.tables(metric.tables, metric.aggregation)
    return replace(metric, unit=table.text("unit", metric.unit), help=table.text("help", metric.help), tables=tables)


def _metric(table: _Table, key: str) -> Metric:
    kind = table.choice("type", MetricType, MetricType.INTEGER)
    aggregation = table.choice("aggregation", Aggregation, _DEFAULT_AGGREGATION.get(kind))
    allowed = _AGGREGATIONS[kind]
    if aggregation not in allowed:
        raise table.fault(f"has aggregation = '{aggregation}', which a {kind} cannot have: use {', '.join(sorted(allowed))}")
    work = table.flag("work")
    if work and kind not in _NUMERIC:
        raise table.fault(f"has work = true, but a {kind} counts nothing: leave it out")
    return Metric(
        name=table.name,
        key=key,
        type=kind,
        aggregation=aggregation,
        unit=table.text("unit", ""),
        help=table.text("help", ""),
        tables=table.tables(BOTH_TABLES, aggregation),
        work=work,
        minimum=_minimum(table, kind),
        clients=_clients(table),
        fallback=table.texts("fallback"),
    )


def _minimum(table: _Table, kind: MetricType) -> int | Decimal | None:
    if kind not in _NUMERIC:
        if "minimum" in table.keys:
            raise table.fault(f"has a minimum, but a {kind} has none: leave it out")
        return None
    value = table.keys.get("minimum", 0)
    if value == "none":
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        raise table.fault(f'has minimum = {shown(value)}: use a number, or "none" where any number will do')
    if kind is MetricType.INTEGER and not (isinstance(value, int) and abs(value) < 2**63):
        raise table.fault(f"has minimum = {shown(value)}: an integer metric needs an integer below 2^63")
    return value


def _clients(table: _Table) -> frozenset[str]:
    clients = table.texts("clients")
    for client in clients:
        if not client.strip() or client != client.strip() or len(client) > MAX_CLIENT_CHARS:
            raise table.fault(f"has the client ID {shown(client)}: use the ID as it stands in the run IDs")
    return frozenset(clients)


def _check_fallbacks(path: Path, by_key: Mapping[str, Metric]) -> None:
    by_name = {metric.name: metric for metric in by_key.values()}
    for metric in by_key.values():
        for name in metric.fallback:
            part = by_name.get(name)
            if part is None or part.fallback or part.type is not metric.type or metric.aggregation is not Aggregation.SUM:
                raise SettingsInvalid(
                    f'{path}: [metrics."{metric.name}"] has {name!r} as fallback: '
                    f"it must be the display name of a metric of the same type without a fallback, and the aggregation sum"
                )


def _rates(path: Path, tables: Mapping[str, Any], metrics: Mapping[str, Metric], given: Sequence[Rate]) -> list[Rate]:
    taken = {metric.key: metric.name for metric in metrics.values()} | {rate.key: rate.name for rate in given}
    rates = []
    for name, keys in _section(path, tables, "rates"):
        table = _Table(path, "rates", name, keys, _RATE_KEYS)
        key = table.key()
        if key in taken:
            raise table.fault(f"has the same name as {taken[key]!r}: choose another")
        taken[key] = name
        shown_in = table.tables(frozenset({"client"}))
        rates.append(
            Rate(
                name=name,
                key=key,
                numerator=_operand(table, "numerator", metrics, shown_in),
                denominator=_operand(table, "denominator", metrics, shown_in),
                help=table.text("help", ""),
                tables=shown_in,
            )
        )
    return rates


def _operand(table: _Table, key: str, metrics: Mapping[str, Metric], shown_in: frozenset[str]) -> str:
    name = table.text(key)
    metric = metrics.get(snake_case(name))
    if metric is None:
        raise table.fault(f"has {key} = {shown(name)}: there is no such metric; use one of {', '.join(m.name for m in metrics.values())}")
    if metric.type not in _NUMERIC:
        raise table.fault(f"has {key} = {shown(name)}: a {metric.type} cannot be divided")
    if metric.aggregation is Aggregation.LAST and "job" in shown_in:
        raise table.fault(f'has {key} = {shown(name)} and "job" in tables: of the last value of each client there is no total for a job')
    return metric.name
