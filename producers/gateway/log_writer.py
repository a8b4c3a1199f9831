"""Appends to the log: a few round trips for what many requests brought, up to the delivery level of the settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from contract import keys
from contract.errors import RuntallyError, StoreRefused, StoreUnavailable
from contract.events import join_batch
from contract.layout import claim_layout
from contract.link import Command, Link
from contract.scripts import Argument, Script
from producers.gateway.entry import Entry, Outdated
from producers.publish.log_bound import LogBound

if TYPE_CHECKING:
    from contract.settings import Settings

LOG_FULL = "LOGFULL"
"""Code of the refusal that is our own: the log is over its bound, because workers lag."""

_TOTALS_APPEND = Script(Path(__file__).parent / "lua" / "totals_append.lua")
_CONFIRM_WAIT_MS = 2_000
_TIMEOUT_S = 5.0


class Unconfirmed(StoreUnavailable):
    """Appended, and not durable in time."""


class Written(NamedTuple):
    """What is not in the log: partitions with their refusals, and what was left out."""

    failed: dict[int, RuntallyError]
    outdated: Outdated


class LogWriter:
    """For one thread, over a connection of its own."""

    def __init__(self, settings: Settings) -> None:
        """Connects to nothing yet."""
        self._settings = settings
        self._link = Link(settings.redis_url.get_secret_value(), name="runtally-gateway", timeout_s=_TIMEOUT_S)
        self._bound = LogBound(self._link, settings.log_max_entries)
        self._epoch = 0

    def write(self, by_partition: dict[int, list[Entry]]) -> Written:
        """Append what each partition is to get. Raises StoreUnavailable, StoreRefused, LayoutMismatch: any of it may be in the log then."""
        if self._link.open() != self._epoch:
            claim_layout(self._link, self._settings.partitions)
            self._epoch = self._link.epoch
        self._bound.look()
        failed: dict[int, RuntallyError] = {
            partition: StoreRefused(f"{LOG_FULL} the log is over its bound, because it is not folded") for partition in self._bound.full
        }
        taken = {partition: entries for partition, entries in by_partition.items() if partition not in failed}
        outdated: Outdated = {}
        if taken:
            # First, since the bell, which the others ring, is rung for these too.
            self._append_totals(taken, failed, outdated)
            self._append(taken, failed)
            self._confirm()
        return Written(failed, outdated)

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def _append_totals(self, taken: dict[int, list[Entry]], failed: dict[int, RuntallyError], outdated: Outdated) -> None:
        """Append the entries that depend on what the log has."""
        found = [(partition, entry, entry.totals) for partition, entries in taken.items() for entry in entries if entry.totals is not None]
        calls: list[tuple[list[str], list[Argument]]] = [
            (
                [keys.log(partition), keys.lineage_totals(partition, totals.row_id)],
                [join_batch([entry.body]), totals.at_us, self._settings.retention_s, *totals.metrics],
            )
            for partition, entry, totals in found
        ]
        for (partition, entry, _), reply in zip(found, _TOTALS_APPEND.run_many(self._link, calls), strict=True):
            if isinstance(reply, StoreRefused):
                failed[partition] = reply
            elif reply:
                outdated[entry] = [metric.decode() for metric in reply]

    def _append(self, taken: dict[int, list[Entry]], failed: dict[int, RuntallyError]) -> None:
        """Append the others, and ring for all."""
        partitions = sorted(taken)
        batches = [(partition, batch) for partition in partitions for batch in self._batches(taken[partition])]
        appends: list[Command] = [("XADD", keys.log(partition), "*", "batch", batch) for partition, batch in batches]
        lengths: list[Command] = [("XLEN", keys.log(partition)) for partition in partitions]
        bell: list[str | int] = [part for partition in partitions for part in (0, partition)]
        replies = self._link.pipeline([*appends, *lengths, ("ZADD", keys.BELL, *bell)])
        for (partition, _), reply in zip(batches, replies, strict=False):
            if isinstance(reply, StoreRefused):
                failed[partition] = reply
        for partition, length in zip(partitions, replies[len(batches) :], strict=False):
            self._bound.learn(partition, length)

    def _confirm(self) -> None:
        if self._settings.delivery == "fsynced":
            local, _ = self._link.call("WAITAOF", 1, 0, _CONFIRM_WAIT_MS)
            enough = local >= 1
        elif self._settings.delivery == "replicated":
            enough = self._link.call("WAIT", self._settings.replicas, _CONFIRM_WAIT_MS) >= self._settings.replicas
        else:
            return
        if not enough:
            raise Unconfirmed(f"Redis did not confirm the level {self._settings.delivery} within {_CONFIRM_WAIT_MS} ms")

    def _batches(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        """Log entries of at most `batch_events` and about `batch_bytes`."""
        batch: list[bytes] = []
        size = events = 0
        for entry in entries:
            if entry.totals is not None:
                continue
            if batch and (events + entry.events > self._settings.batch_events or size + len(entry.body) > self._settings.batch_bytes):
                yield join_batch(batch)
                batch, size, events = [], 0, 0
            batch.append(entry.body)
            size += len(entry.body)
            events += entry.events
        if batch:
            yield join_batch(batch)
