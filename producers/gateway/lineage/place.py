"""Where a run of OpenLineage belongs: its job's run ID, and its client. The same for all its events, on every machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from contract.run_id import require, with_client
from producers.gateway.lineage.client_ids import child_client
from producers.gateway.lineage.mapping import LineageMapping
from producers.gateway.lineage.run_event import Ancestor, RunEvent
from producers.gateway.named_runs import NamedRuns

_KIND = "openlineage"
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


class Place(NamedTuple):
    """The base run ID of the job, and the client of the client run; None for the job itself."""

    run: str
    client: str | None


async def foreseen_client(names: NamedRuns, mapping: LineageMapping, event: RunEvent) -> str | None:
    """The client that `find_place` would find for the run now; reads only, so that whose it is can be checked before anything is kept of
    it. Raises StoreUnavailable, StoreRefused."""
    found = await names.find(_KIND, event.run)
    if found is not None:
        return require(found).client
    return None if event.top is None else _client(mapping, event, event.top)


async def find_place(names: NamedRuns, mapping: LineageMapping, event: RunEvent) -> Place:
    """A run with a parent is a client run of its root's job, one without is a job. Raises StoreUnavailable, StoreRefused.

    Whatever the first event that names a run says of it stands: later ones need not repeat the parent. It is not moved when its root
    turns out to be another run's child: its first events are in the log by then."""
    # A time to come would use up the run IDs of that time, and there is none before 2000.
    at = max(_EARLIEST, min(event.at, datetime.now(UTC)))
    if event.top is None:
        row_id = await names.run_id(_KIND, event.run, at=at)
    else:
        root = require(await names.run_id(_KIND, event.top.run.runId, at=at))
        row_id = await names.run_id(_KIND, event.run, candidate=with_client(root.base, _client(mapping, event, event.top)))
    place = require(row_id)
    assert place.base is not None
    return Place(place.base, place.client)


def _client(mapping: LineageMapping, event: RunEvent, root: Ancestor) -> str:
    return child_client(mapping.parts(event.written), event.job.namespace, root.job.namespace)
