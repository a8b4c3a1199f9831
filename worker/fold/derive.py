"""What follows from the rows after all events are applied: statuses, the job's totals from its clients' changes, warnings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from contract.metrics import Aggregation, Value
from worker.fold.recount import recount, regroup
from worker.fold.standing import client_status, ended_with_error, job_status, widen, with_error
from worker.fold.working import Working
from worker.rows import ClientRow, JobRow


def finish(working: Working) -> None:
    """Derive everything derived, and give each row that says something new its next version."""
    for row_id, row in list(working.rows.items()):
        if isinstance(row, ClientRow):
            job = working.job(row.run)
            job.seen_ms = max(job.seen_ms, row.seen_ms)
            if row_id in working.touched:
                _finish_client(working, job, row_id, row)
    for run in sorted(working.regroups - working.recounts):
        regroup(working, run)
    for run in sorted(working.recounts):
        recount(working, run)
    updated = datetime.fromtimestamp(working.received_ms / 1000, UTC)
    for row_id, row in working.rows.items():
        if isinstance(row, JobRow):
            row.status = job_status(row)
            if working.rules.job_rates:
                _look_at_rates(working, row)
        if row_id in working.touched:
            row.version += 1
            row.updated = updated
    working.changes.received_ms = working.received_ms


def _look_at_rates(working: Working, job: JobRow) -> None:
    """Tell of rates of the job's totals that have become impossible. The row's notes get it from its totals (flush/columns.py): what a
    commit happens to see in between must not stay in a row."""
    before = working.known.rows.get(job.run)
    for rate in working.rules.job_rates:
        fault = rate.fault(job.metrics)
        if fault is not None and (before is None or rate.fault(before.metrics) is None):
            working.changes.counts["integrity_warnings"] += 1
            working.tell_log(job, "integrity", fault)


def _finish_client(working: Working, job: JobRow, row_id: str, row: ClientRow) -> None:
    row.status = client_status(row, working.rules.registry)
    before = working.known.rows.get(row_id)
    assert before is None or isinstance(before, ClientRow)
    if before is not None and row.run in working.recounts:
        # The job counts what its clients were, not a status that somebody wrote into one: so the note tells what was wrong with the job.
        before = structs.replace(before, status=client_status(before, working.rules.registry))
    if row_id not in working.rebuilt:
        _roll_up(working, job, before, row)
    working.touched.add(row.run)


def _roll_up(working: Working, job: JobRow, before: ClientRow | None, after: ClientRow) -> None:
    widen(job, after)
    _count_client(job, before, after)
    registry = working.rules.registry
    old: Mapping[str, Value] = {} if before is None else before.metrics
    stood_in = registry.fallbacks(old)
    stands_in = registry.fallbacks(after.metrics)
    if stood_in.keys() - stands_in.keys():
        # A total that was the sum of its parts has been reported now.
        old = {**old, **stood_in}
    _shift(working, job.metrics, old, after.metrics)
    if stands_in:
        _shift(working, job.metrics, stood_in, stands_in)


def _shift(working: Working, totals: dict[str, Any], old: Mapping[str, Value], new: Mapping[str, Value]) -> None:
    """Move a job's totals by what has changed in a client's values."""
    whole = working.rules.whole
    for name, value in new.items():
        was = old.get(name)
        if value == was:
            continue
        if name in whole and name in totals:
            # Most metrics are whole numbers that add up: the rest takes the general way.
            totals[name] = totals[name] + value - (was or 0)
            continue
        metric = working.rules.registry.by_any_name.get(name)
        if metric is not None and metric.aggregation is Aggregation.SUM:
            totals[name] = metric.shift(totals.get(name), was, value)
        elif metric is not None and metric.aggregation is not Aggregation.LAST:
            totals[name] = metric.merge(totals.get(name), value)


def _count_client(job: JobRow, before: ClientRow | None, after: ClientRow) -> None:
    counts: dict[Any, int] = job.clients
    if before is not None and before.status is not after.status:
        left = counts.pop(before.status, 0) - 1
        if left > 0:
            counts[before.status] = left
    if before is None or before.status is not after.status:
        counts[after.status] = counts.get(after.status, 0) + 1
    job.with_errors += with_error(after) - (before is not None and with_error(before))
    job.ended_with_errors += ended_with_error(after) - (before is not None and ended_with_error(before))
