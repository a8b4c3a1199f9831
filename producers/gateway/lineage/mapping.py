"""What of a run event becomes metrics: paths into it, from a TOML file (docs/openlineage.md)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from contract.errors import SettingsInvalid, ValueRejected
from contract.metrics import Metric
from contract.registry import Registry

_DEFAULT: dict[str, Any] = {"totals": {"Leads Processed": "outputs.outputFacets.outputStatistics.rowCount"}}
_KEYS = {"client", "totals", "complete"}


@dataclass(frozen=True)
class LineageMapping:
    """`client`: paths to what tells a job's clients apart. `totals`: metrics with the paths whose values they merge.
    `complete`: metrics with what each COMPLETE of a run with a parent tells."""

    client: tuple[str, ...]
    totals: tuple[tuple[Metric, tuple[str, ...]], ...]
    complete: tuple[tuple[Metric, Any], ...]

    def parts(self, event: dict[str, Any]) -> list[str]:
        """What tells the client of a run event apart; never empty."""
        found = [str(value) for path in self.client for value in values_at(event, path)]
        return found or [str(event["job"]["name"])]

    def totals_of(self, event: dict[str, Any], *, completes: bool) -> dict[str, Any]:
        """Metric -> its total by this event, of the metrics that it tells. A value that is none stands for its metric, as it is: the
        fold then says so. `completes`: with what `complete` adds."""
        found = {metric.name: value for metric, value in self.complete} if completes else {}
        for metric, paths in self.totals:
            values = [value for path in paths for value in values_at(event, path)]
            if values:
                found[metric.name] = _merged(metric, values)
        return found


def load_mapping(path: Path | None, registry: Registry) -> LineageMapping:
    """The mapping of a file; the default one without. Raises SettingsInvalid naming the file and what to mend."""
    if path is None:
        return _mapping(_DEFAULT, registry, "")
    try:
        written = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsInvalid(f"RUNTALLY_LINEAGE_FILE: {path} cannot be read: {error}") from error
    return _mapping(written, registry, f"RUNTALLY_LINEAGE_FILE: {path}: ")


def values_at(value: Any, path: str) -> Iterator[Any]:
    """What stands at a dotted path, null left out. Where the path meets a list, it goes on in each of its members."""
    name, _, rest = path.partition(".")
    for each in value if isinstance(value, list) else (value,):
        found = each.get(name) if isinstance(each, dict) else None
        if rest:
            yield from values_at(found, rest)
        elif found is not None:
            yield from found if isinstance(found, list) else (found,)


def _merged(metric: Metric, values: Sequence[Any]) -> Any:
    usable = []
    for value in values:
        try:
            usable.append(metric.normalise(value))
        except ValueRejected:
            return value
    return reduce(metric.merge, usable)


def _mapping(written: dict[str, Any], registry: Registry, where: str) -> LineageMapping:
    if unknown := sorted(written.keys() - _KEYS):
        raise SettingsInvalid(f"{where}unknown {', '.join(unknown)}; known are {', '.join(sorted(_KEYS))}")
    client = _paths(written.get("client", "job.name"), f"{where}client")
    totals = [
        (_metric(name, registry, f"{where}totals"), _paths(paths, f"{where}totals.{name}"))
        for name, paths in _table(written, "totals", where).items()
    ]
    complete = []
    for name, value in _table(written, "complete", where).items():
        metric = _metric(name, registry, f"{where}complete")
        try:
            metric.normalise(value)
        except ValueRejected as error:
            raise SettingsInvalid(f"{where}complete: {name} {error}") from None
        complete.append((metric, value))
    return LineageMapping(client, tuple(totals), tuple(complete))


def _table(written: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    table = written.get(name, {})
    if not isinstance(table, dict):
        raise SettingsInvalid(f"{where}{name} is a table: write [{name}] and the metrics below it")
    return table


def _metric(name: str, registry: Registry, where: str) -> Metric:
    metric = registry.resolve(name)
    if metric is None:
        raise SettingsInvalid(f"{where}: there is no metric {name!r}: add it to RUNTALLY_METRICS_FILE, or mend its name")
    return metric


def _paths(written: Any, where: str) -> tuple[str, ...]:
    paths = [written] if isinstance(written, str) else written
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) and all(path.split(".")) for path in paths):
        raise SettingsInvalid(f"{where} is a path such as job.name, or a list of paths")
    return tuple(paths)
