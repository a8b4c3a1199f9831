"""A job row counted anew from its client rows, and rows taken as the log gives them: what `runtally verify --repair` asks for.

The event is no sign of life: it changes neither times nor outcomes, and asked for where nothing is wrong it changes no value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from contract.errors import EventRejected
from contract.events import Event, Rebuilt
from contract.metrics import Aggregation, Value
from contract.registry import Registry
from contract.status import Status
from worker.fold.changes import Unreadable
from worker.fold.rules import Target
from worker.fold.standing import ended_with_error, widen, with_error
from worker.fold.working import Working
from worker.rows import TEXTS, AnyRow, ClientRow, JobRow, from_hash

_NOTED = 5
"""Changes that a note names; of further ones it says how many."""

_DECODE_ERRORS = (msgspec.DecodeError, KeyError, ValueError, ArithmeticError)


class Sums(NamedTuple):
    """What follows for a job from its client rows. `metrics`: display name -> total."""

    metrics: dict[str, Value]
    clients: dict[Status, int]
    with_errors: int
    ended_with_errors: int


def sums_of(clients: Iterable[ClientRow], registry: Registry) -> Sums:
    """The sums, minima and maxima over client rows, and how many there are of each status, with errors, and done with errors."""
    metrics: dict[str, Value] = {}
    counts: dict[Status, int] = {}
    with_errors = ended_with_errors = 0
    for row in clients:
        counts[row.status] = counts.get(row.status, 0) + 1
        with_errors += with_error(row)
        ended_with_errors += ended_with_error(row)
        for name, value in registry.effective(row.metrics).items():
            if is_total(registry, name):
                metrics[name] = registry.by_any_name[name].merge(metrics.get(name), value)
    return Sums(metrics, counts, with_errors, ended_with_errors)


def is_total(registry: Registry, name: str) -> bool:
    """Whether a job shows this metric as a total over its clients, by today's registry."""
    metric = registry.by_any_name.get(name)
    return metric is not None and metric.aggregation is not Aggregation.LAST


def ask(working: Working, run: str, event: Event) -> bool:
    """Take the rows that the event brings, and note that the job is to be counted anew. False when there is no row of this run.

    A row is taken only if the row there is now is the version that it was compared with. Raises EventRejected, before any is taken,
    when one of them is no row of this run.
    """
    rebuilt = [(_decoded(working, run, row_id, given), given) for row_id, given in event.data.rows.items()]
    for row, given in rebuilt:
        _take(working, row, given.replaces)
    if not working.knows(run):
        if not _clients(working, run):
            return False
        text = "recounted: this row was missing, and is made anew from its client runs; what was told of the job itself is lost"
        working.line(working.job(run), "notes", text)
    for client in event.data.clients:
        target = Target(run, client, f"{run}-{client}")
        if working.knows(target.row_id):
            working.client(target)
            working.touched.add(target.row_id)
    working.recounts.add(run)
    return True


def _decoded(working: Working, run: str, row_id: str, given: Rebuilt) -> AnyRow:
    try:
        row = from_hash({name.encode(): text.encode() for name, text in given.fields.items()}, working.rules.registry.decimals)
    except _DECODE_ERRORS as error:
        raise EventRejected(f"row {row_id[:200]!r} cannot be read: {error}") from error
    if row.run != run or row.row_id != row_id:
        raise EventRejected(f"row {row_id[:200]!r} is not a row of {run}")
    return row


def _take(working: Working, row: AnyRow, replaces: int) -> None:
    row_id = row.row_id
    there = working.known.rows.get(row_id) or working.known.unreadable.get(row_id)
    if row_id in working.rows or replaces != (0 if there is None else there.version):
        working.changes.counts["rows_not_rebuilt"] += 1
        return
    if there is None:
        working.changes.made.add(row_id)
    elif isinstance(there, Unreadable):
        working.set_row_aside(row_id)
    row.version = replaces
    working.rows[row_id] = row
    working.touched.add(row_id)
    working.rebuilt.add(row_id)
    working.changes.texts.setdefault(row_id, set()).update(TEXTS)
    working.changes.counts["rows_rebuilt"] += 1
    working.line(row, "notes", "recounted: this row was made anew from the log")


def recount(working: Working, run: str) -> None:
    """Make the job's totals those of its client rows, which have their final values by now, and enter all of them in its set of clients."""
    clients = _clients(working, run)
    job = working.job(run)
    working.touched.add(run)
    sums = sums_of(clients.values(), working.rules.registry)
    kept = {name: value for name, value in job.metrics.items() if not is_total(working.rules.registry, name)}
    changed = _changes(job, sums, kept)
    job.metrics = kept | sums.metrics
    _count_from(job, sums)
    for row in clients.values():
        widen(job, row)
        job.seen_ms = max(job.seen_ms, row.seen_ms)
    entered = working.changes.clients.setdefault(run, [])
    entered.extend(sorted({row.client for row in clients.values()} - set(entered)))
    if not entered:
        del working.changes.clients[run]
    if changed:
        more = f" and {len(changed) - _NOTED} more" if len(changed) > _NOTED else ""
        working.line(job, "notes", f"recounted from its client runs: {', '.join(changed[:_NOTED])}{more}")


def regroup(working: Working, run: str) -> None:
    """Count the job's clients anew by status and error, because one was made anew. Its totals stay: they know of what that row had."""
    sums = sums_of(_clients(working, run).values(), working.rules.registry)
    _count_from(working.job(run), sums)


def _count_from(job: JobRow, sums: Sums) -> None:
    job.clients, job.with_errors, job.ended_with_errors = sums.clients, sums.with_errors, sums.ended_with_errors


def _clients(working: Working, run: str) -> dict[str, ClientRow]:
    """All client rows of a run, as they are now. Whole only when needs_of asked for the whole run."""
    rows: dict[str, ClientRow] = {}
    for source in (working.known.rows, working.rows):
        rows.update((row_id, row) for row_id, row in source.items() if isinstance(row, ClientRow) and row.run == run)
    return rows


def _changes(job: JobRow, sums: Sums, kept: Mapping[str, Value]) -> list[str]:
    """What the recount changes, each as `name old -> new`, in order of names."""
    old = {name: value for name, value in job.metrics.items() if name not in kept}
    pairs: list[tuple[str, object, object]] = [
        (name, old.get(name, "nothing"), sums.metrics.get(name, "nothing")) for name in {**old, **sums.metrics}
    ]
    pairs += [(f"clients {status}", job.clients.get(status, 0), sums.clients.get(status, 0)) for status in Status]
    pairs.append(("clients with errors", job.with_errors, sums.with_errors))
    pairs.append(("ended clients with errors", job.ended_with_errors, sums.ended_with_errors))
    return sorted(f"{name} {before} → {after}" for name, before, after in pairs if before != after)
