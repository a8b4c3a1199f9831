"""The ledger: what producers were told was accepted and delivered, against the rows at rest."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.ledger import balance, rows_of
from benchmarks.reference import differences, folded
from benchmarks.workload import Workload
from contract.link import Link
from contract.registry import load_registry
from contract.settings import Settings
from faults.producing import Answer
from worker.store.reader import Reader

_TOLD = 5


@dataclass
class Reckoning:
    """`lost`, `doubled`: events. `corrupt`: what else differs from plain addition and from one fold of the whole log, `stale`: log entries
    not folded, both in number; `repeats`: events that came again and were not counted; `told`: the first of what differs, in words."""

    lost: int
    doubled: int
    corrupt: int
    stale: int
    repeats: int
    told: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing lost, doubled, corrupt or stale."""
        return not (self.lost or self.doubled or self.corrupt or self.stale)


def together(answers: Sequence[Answer]) -> Workload:
    """What several producers emitted, as one workload (without its batches)."""
    counts: Counter[str] = Counter()
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for answer in answers:
        counts.update(answer.counts)
        for row_id, values in answer.sums.items():
            sums[row_id].update(values)
    return Workload([], counts.total(), {row_id: dict(values) for row_id, values in sums.items()}, dict(counts))


def reckon(settings: Settings, workload: Workload, *, whole_log: bool = True) -> Reckoning:
    """Compare what Redis holds now with what was sent. `whole_log` False: it was trimmed, so rows are compared with plain addition alone.
    Raises StoreUnavailable, StoreRefused."""
    registry = load_registry()
    link = Link(settings.redis_url.get_secret_value(), name="runtally-ledger", timeout_s=60.0)
    link.open()
    try:
        found = balance(link, settings, registry, workload)
        rows = rows_of(link, settings, registry, workload)
        apart = differences(rows, folded(link, settings, registry)) if whole_log else []
        reader = Reader(link, settings.partitions, registry)
        stale, repeats = reader.backlog(), reader.counters().get("duplicates", 0)
    finally:
        link.close()
    # A row with an event too few or too many has the wrong sums as well: that is told once.
    corrupt = len(apart) + (0 if found.lost or found.doubled else len(found.faults))
    return Reckoning(found.lost, found.doubled, corrupt, stale, repeats, [*found.faults[:_TOLD], *apart[:_TOLD]])
