"""Where a run of OpenLineage belongs: its job's run ID, and its client. The same for all its events, on every machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from contract.run_id import require, with_client
from producers.gateway.lineage.client_ids import child_client
from producers.gateway.lineage.mapping import LineageMapping
from producers.gateway.lineage.run_event import RunEvent
from producers.gateway.named_runs import NamedRuns

_KIND = "openlineage"
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


class Place(NamedTuple):
    """The base run ID of the job, and the client of the client run; None for the job itself."""

    run: str
    client: str | None


async def find_place(names: NamedRuns, mapping: LineageMapping, event: RunEvent) -> Place:
    """A run with a parent is a client run of its root's job, one without is a job. Raises StoreUnavailable, StoreRefused.

    Whatever the first event that names a run says of it stands: later ones need not repeat the parent."""
    # A time to come would use up the run IDs of that time, and there is none before 2000.
    at = max(_EARLIEST, min(event.at, datetime.now(UTC)))
    if event.top is None:
        row_id = await names.run_id(_KIND, event.run, at=at)
    else:
        root = require(await names.run_id(_KIND, event.top.run.runId, at=at))
        client = child_client(mapping.parts(event.written), event.job.namespace, event.top.job.namespace)
        row_id = await names.run_id(_KIND, event.run, candidate=with_client(root.base, client))
    place = require(row_id)
    assert place.base is not None
    return Place(place.base, place.client)
