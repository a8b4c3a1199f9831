"""The registry: which metrics and rates there are, found by name (spec §4). Shipped ones in metrics.toml, the user's in a file alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from contract.metrics import Aggregation, Metric, MetricType, Rate, Value, exact_sum
from contract.snake_case import snake_case


class Registry:
    """All metrics and rates, in shipped order and then the user's. Not changed once made; made by `load_registry`."""

    def __init__(self, metrics: Iterable[Metric], rates: Iterable[Rate]) -> None:
        self.metrics = tuple(metrics)
        self.rates = tuple(rates)
        self.by_any_name: dict[str, Metric] = {}
        """Display names and keys -> metric. What is not in here may still resolve: other cases, spaces for underscores."""
        for metric in self.metrics:
            self.by_any_name[metric.name] = self.by_any_name[metric.key] = metric
        self.decimals = frozenset(metric.name for metric in self.metrics if metric.type is MetricType.DECIMAL)
        """Display names of the decimal metrics."""
        self.summed = frozenset(metric.name for metric in self.metrics if metric.aggregation is Aggregation.SUM)
        """Display names of the metrics that add up."""
        self.work_names = frozenset(metric.name for metric in self.metrics if metric.work)
        """Display names of the metrics whose value above zero means that something was done."""
        self._with_fallback = tuple(metric for metric in self.metrics if metric.fallback)

    def resolve(self, name: str, client: str | None = None) -> Metric | None:
        """The metric of a display name or snake_case key, in any case; None if unknown, or not one of this client's.

        Without a client, metrics kept for some clients are found too.
        """
        metric = self.by_any_name.get(name) or self.by_any_name.get(snake_case(name))
        if metric is None or not metric.clients or client is None or client in metric.clients:
            return metric
        return None

    def for_table(self, table: str) -> tuple[Metric, ...]:
        """The metrics shown in a table, `job` or `client`, in order."""
        return tuple(metric for metric in self.metrics if table in metric.tables)

    def rates_for(self, table: str) -> tuple[Rate, ...]:
        """The rates shown in a table, `job` or `client`, in order."""
        return tuple(rate for rate in self.rates if table in rate.tables)

    def did_work(self, metrics: Mapping[str, Any]) -> bool:
        """True if a metric marked as work is above zero in a row's metrics (display name -> value)."""
        return any(name in metrics and metrics[name] > 0 for name in self.work_names)

    def effective(self, metrics: Mapping[str, Value]) -> dict[str, Value]:
        """A row's metrics (display name -> value) with the totals that were never reported, where their parts were.

        For client rows. A job's total is the sum of its clients' effective values, not the fallback over the job's own parts:
        one client may have reported what another one did not.
        """
        return {**metrics, **self.fallbacks(metrics)}

    def fallbacks(self, metrics: Mapping[str, Value]) -> dict[str, Value]:
        """Of a client row's metrics, the totals that were never reported, where their parts were."""
        found: dict[str, Value] = {}
        for metric in self._with_fallback:
            if metric.name not in metrics:
                parts = [metrics[part] for part in metric.fallback if part in metrics]
                if parts:
                    found[metric.name] = exact_sum(parts)
        return found


def load_registry(path: Path | None = None) -> Registry:
    """The shipped registry, with the user's metrics and rates from a TOML file on top (docs/metrics.md).

    Raises SettingsInvalid naming the file, the table and what to mend, also when the file cannot be read.
    """
    from contract.registry_file import read_registry_file  # TOML is not needed to use a registry

    shipped = read_registry_file(Path(__file__).with_name("metrics.toml"), (), ())
    if path is None:
        return Registry(*shipped)
    return Registry(*read_registry_file(path, *shipped))
