"""Retired runs: runs whose rows have had their time and went, all at once, and of which only the ID is remembered.

No row has an expiry of its own: a run's rows go together, in the script that remembers the run. So at no moment is a row gone
without a trace, and what comes late for it can be told from what begins a new run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from contract import keys
from contract.link import Command, Link
from worker.store.scripts import Argument, Script
from worker.store.wrong_type import passed_over

_RETIRE = Script("retire")
_AT_ONCE = 100
"""Runs of one round trip."""

_Call = tuple[Sequence[str], Sequence[Argument]]


def asked(partition: int, runs: Sequence[str]) -> Command:
    """The command that asks when runs (at least one) were retired. `told` reads its reply."""
    return ["ZMSCORE", keys.retired(partition), *runs]


def told(runs: Iterable[str], reply: Sequence[bytes | None]) -> dict[str, int]:
    """Run -> ms when it was retired, of those that were."""
    return {run: int(float(score)) for run, score in zip(runs, reply, strict=True) if score is not None}


def retire(link: Link, partition: int, *, until_ms: int, written: bool) -> int:
    """Retire the runs last heard of, and last written to Airtable, by `until_ms`, oldest first; how many. A run is kept while a row of it
    is open, or, where rows are `written` to Airtable, waits for that.

    Each run at once or not at all, so it may be repeated, and died in at any point. Blocks the server for 3 us a row. Raises
    StoreUnavailable, StoreRefused.
    """
    retired = kept = 0
    while runs := link.call("ZRANGE", keys.runs(partition), "-inf", until_ms, "BYSCORE", "LIMIT", kept, _AT_ONCE):
        names = [run.decode() for run in runs]
        members = passed_over(link.pipeline([("SMEMBERS", keys.clients(partition, run)) for run in names]), ())
        calls = [_call(partition, run, clients, until_ms, written) for run, clients in zip(names, members, strict=True)]
        # A run of which a key is of another type than ours is kept, for people to look at.
        done = sum(result == 1 for result in passed_over(_RETIRE.run_many(link, calls), 0))
        retired += done
        kept += len(runs) - done
    return retired


def forget(link: Link, partition: int, *, before_ms: int, most: int) -> None:
    """Forget the runs retired before `before_ms`, and of those left all but the `most` retired last."""
    link.call("ZREMRANGEBYSCORE", keys.retired(partition), "-inf", f"({before_ms}")
    link.call("ZREMRANGEBYRANK", keys.retired(partition), 0, -most - 1)


def _call(partition: int, run: str, clients: Iterable[bytes], until_ms: int, written: bool) -> _Call:
    row_ids = [run, *(f"{run}-{client.decode()}" for client in clients)]
    indexes = [name(partition) for name in (keys.runs, keys.retired, keys.open_rows, keys.dirty)]
    names = [*indexes, keys.clients(partition, run), *(keys.row(partition, row_id) for row_id in row_ids)]
    return names, [run, until_ms, "1" if written else "", *row_ids]
