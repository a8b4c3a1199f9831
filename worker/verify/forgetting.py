"""Removing what points at rows that are not there, and only while they are not there."""

from __future__ import annotations

from contract import keys
from contract.errors import StoreRefused
from contract.link import Command, Link
from worker.store import dirty
from worker.store.dirty import RowRef
from worker.verify.finding import Finding, Kind


def forget(link: Link, partitions: int, finding: Finding) -> bool:
    """Remove an index entry, a member of a set of clients or a dirty mark whose row is not there. False when the row is there now, or was
    made meanwhile. Raises StoreUnavailable, StoreRefused; may be repeated."""
    run = str(finding.run)
    partition = keys.partition_of(run, partitions)
    if finding.kind is Kind.MARK:
        row_id = run if finding.client is None else f"{run}-{finding.client}"
        dirty.sent(link, [dirty.Sent(RowRef(partition, row_id), "", "")])
        return True
    if finding.client is None:
        return _unless(link, keys.row(partition, run), ("ZREM", keys.runs(partition), run))
    return _unless(link, keys.row(partition, f"{run}-{finding.client}"), ("SREM", keys.clients(partition, run), finding.client))


def _unless(link: Link, row: str, command: Command) -> bool:
    """Run a command unless a key exists, even if it is made in between: WATCH makes EXEC answer nothing then."""
    watched = link.pipeline([("WATCH", row), ("EXISTS", row)])
    _check(watched)
    if watched[1]:
        link.call("UNWATCH")
        return False
    replies = link.pipeline([("MULTI",), command, ("EXEC",)])
    _check(replies)
    return replies[-1] is not None


def _check(replies: list[object]) -> None:
    for reply in replies:
        if isinstance(reply, StoreRefused):
            raise reply
