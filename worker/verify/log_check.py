"""The rows of all runs, or of some, compared with what the kept log makes of their events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from contract import keys
from contract.errors import StoreRefused
from contract.link import Link
from contract.registry import Registry
from contract.settings import Settings
from worker.rows import ClientRow
from worker.verify.against_log import compare, rebuilt, whole
from worker.verify.clock import Clock
from worker.verify.finding import Finding
from worker.verify.replay import MOST_ROWS, Group, PartitionLog, groups, position_of
from worker.verify.snapshot import Snapshot, Snapshots

_WENT_BACK = "the log went back while it was read: Redis was restarted or failed over"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One run. `reason`: why it could not be compared, "" when it was. `rebuilt`: rows to take, in the form of an event's data.

    `known`: row IDs that the log has events of. `offset`: the moment that all this is about.
    """

    run: str
    offset: str
    reason: str = ""
    findings: list[Finding] = field(default_factory=list)
    rebuilt: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    known: frozenset[str] = frozenset()


class LogCheck:
    """Compares over a link that its caller opens. Raises StoreUnavailable and StoreRefused. Reads only."""

    def __init__(self, link: Link, settings: Settings, registry: Registry, clock: Clock, most_rows: int = MOST_ROWS) -> None:
        self._link = link
        self._settings = settings
        self._registry = registry
        self._clock = clock
        self._most_rows = most_rows
        self._snapshots = Snapshots(link, settings.partitions, registry.decimals)

    def verdicts(
        self, runs: Set[str], strays: Mapping[str, Set[str]], progress: Callable[[str], None], *, only: bool = False
    ) -> Iterator[Verdict]:
        """On each of the runs, and unless `only` they are asked for, on whatever else the log has. `strays`: see Snapshots.take."""
        by_partition: dict[int, set[str]] = {p: set() for p in range(self._settings.partitions)}
        for run in runs:
            by_partition[keys.partition_of(run, self._settings.partitions)].add(run)
        for partition, mine in by_partition.items():
            if only and not mine:
                continue
            left = set(mine)
            try:
                yield from self._of_partition(partition, left, mine if only else None, strays, progress)
            except StoreRefused as error:
                if error.code not in ("WRONGTYPE", "WRONGVALUE"):
                    raise
                for run in sorted(left):
                    yield Verdict(run, "", "its partition's log cannot be folded: a key is not what it has to be")

    def _of_partition(
        self, partition: int, left: set[str], wanted: Set[str] | None, strays: Mapping[str, Set[str]], progress: Callable[[str], None]
    ) -> Iterator[Verdict]:
        """Those of one partition. `left`: its runs; each goes from it with its verdict. `wanted`: see Group."""
        log = PartitionLog(self._link, self._settings, self._registry, partition)
        for group in groups(log, wanted, self._most_rows):
            progress(f"partition {partition}: {len(group.runs):,} runs folded anew from the log")
            trimmed = log.trimmed()
            for run in sorted(group.runs):
                yield self._verdict(group, run, strays.get(run, frozenset()), trimmed)
                left.discard(run)
        yield from self._unlogged(left, strays, log.trimmed())

    def _unlogged(self, runs: Set[str], strays: Mapping[str, Set[str]], trimmed: bool) -> Iterator[Verdict]:
        """Runs that the log has nothing of."""
        for run in sorted(runs):
            if trimmed:
                yield Verdict(run, "", "the log is trimmed and has nothing of it any more")
            else:
                yield _verdict(self._snapshots.take(run, strays.get(run, ())), {}, trimmed)

    def _verdict(self, group: Group, run: str, strays: Set[str], trimmed: bool) -> Verdict:
        clients = {row.client for row in group.rows_of(run).values() if isinstance(row, ClientRow)}
        snapshot = self._snapshots.take(run, clients | strays)
        if position_of(snapshot.offset) < position_of(group.upto):
            return Verdict(snapshot.run, snapshot.offset, _WENT_BACK)
        group.advance(snapshot.offset)
        rows = group.rows_of(run)
        had_its_time = not snapshot.rows and not any(self._clock.kept_since(row.updated) for row in rows.values())
        if snapshot.retired or had_its_time:
            return Verdict(snapshot.run, snapshot.offset, "its rows have had their time, and are gone")
        return _verdict(snapshot, rows, trimmed)


def _verdict(snapshot: Snapshot, rows: Mapping[str, Any], trimmed: bool) -> Verdict:
    reason = whole(snapshot, rows, trimmed)
    if reason:
        return Verdict(snapshot.run, snapshot.offset, reason)
    return Verdict(
        run=snapshot.run,
        offset=snapshot.offset,
        findings=compare(snapshot, rows),
        rebuilt=rebuilt(snapshot, rows),
        known=frozenset(rows),
    )
