"""What a fold goes by and never changes: the registry, the partition, and where a subject points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from contract import keys
from contract.errors import EventRejected
from contract.metrics import Rate
from contract.registry import Registry
from contract.run_id import parse

_SUBJECTS_REMEMBERED = 100_000


class Target(NamedTuple):
    """Where an event's subject points: the run, the client or None, and the row ID of that job or client run."""

    run: str
    client: str | None
    row_id: str


@dataclass(slots=True)
class Rules:
    """The same for every fold of a partition. `id_bucket_ms`: how long a set of remembered identities is added to.
    `counters`: any name of a plain counter -> its display name. `rated`: any name of a metric that a rate of client rows depends on.
    `client_rates`, `job_rates`: those that a table shows. `falls_back`: whether one of the first depends on a total that other metrics may
    stand in for. `whole`: display names of whole numbers that add up.
    """

    registry: Registry
    partition: int
    partitions: int
    id_bucket_ms: int = 86_400_000
    counters: dict[str, str] = field(init=False)
    rated: frozenset[str] = field(init=False)
    client_rates: tuple[Rate, ...] = field(init=False)
    job_rates: tuple[Rate, ...] = field(init=False)
    falls_back: bool = field(init=False)
    whole: frozenset[str] = field(init=False)
    _targets: dict[str, Target | str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        # Most values are whole numbers that are added up: they take a path of their own through the fold.
        self.counters = {
            name: metric.name
            for name, metric in self.registry.by_any_name.items()
            if metric.type == "integer" and metric.aggregation == "sum" and metric.minimum == 0 and not metric.clients
        }
        self.whole = frozenset(m.name for m in self.registry.metrics if m.type == "integer" and m.aggregation == "sum")
        self.client_rates, self.job_rates = self.registry.rates_for("client"), self.registry.rates_for("job")
        parts = {part for rate in self.client_rates for part in (rate.numerator, rate.denominator)}
        stand_ins = {name for part in parts for name in self.registry.by_any_name[part].fallback}
        self.falls_back = bool(stand_ins)
        parts |= stand_ins
        self.rated = frozenset(name for name, metric in self.registry.by_any_name.items() if metric.name in parts)

    def target(self, subject: str) -> Target:
        """Where a subject points. Raises EventRejected for what is no run ID, or belongs to another partition."""
        target = self._targets.get(subject)
        if target is None:
            if len(self._targets) >= _SUBJECTS_REMEMBERED:
                self._targets.clear()
            target = self._targets[subject] = self._locate(subject)
        if isinstance(target, str):
            raise EventRejected(target)
        return target

    def _locate(self, subject: str) -> Target | str:
        """The target, or the reason why there is none."""
        parsed = parse(subject)
        if parsed.base is None or parsed.standard != subject:
            return f"subject {subject[:200]!r} is not a run ID in standard form (YYMMDD-HHMMSS, or with -<client>)"
        home = keys.partition_of(parsed.base, self.partitions)
        if home != self.partition:
            return f"run {parsed.base} belongs to partition {home}, not {self.partition}: crc32(run) mod {self.partitions}"
        return Target(parsed.base, parsed.client, subject)
