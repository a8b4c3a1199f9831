"""Run events into the log: placed, stripped of totals that are out of date, told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from contract.errors import RuntallyError
from contract.run_id import with_client
from contract.shown import shown
from producers.gateway.access.caller import Caller
from producers.gateway.context import Gateway, unavailable
from producers.gateway.intake import Entry
from producers.gateway.lineage.client_ids import own_client
from producers.gateway.lineage.memory import End, newest, own_ends
from producers.gateway.lineage.place import Place, find_place
from producers.gateway.lineage.run_event import RunEvent, Transition
from producers.gateway.lineage.telling import source_of, tell_client, tell_job
from producers.gateway.problem import Problem


class _Placed(NamedTuple):
    event: RunEvent
    place: Place

    @property
    def counted(self) -> str:
        """The row whose totals it tells."""
        return self.place.row_id if self.place.client is not None else with_client(self.place.run, own_client(self.event.job.namespace))


async def take_run_events(gateway: Gateway, caller: Caller, events: Sequence[RunEvent]) -> None:
    """Return once the log has what they say. Raises Problem: 403 for what is not the caller's, of which nothing is taken, 503.

    Safe to repeat as a whole."""
    for event in events:
        if not caller.may_speak_for(source_of(event)):
            raise Problem(403, "source-forbidden", f"this token may not send events of source {shown(source_of(event))}")
    try:
        placed = [_Placed(event, await find_place(gateway.named_runs, gateway.lineage.mapping, event)) for event in events]
        for each in placed:
            caller.require_client(each.place.client)
        async with gateway.lineage.turn(each.counted for each in placed):
            entries = [entry for each in placed for entry in await _told(gateway, each, announce=caller.may_touch(None))]
            await gateway.put(entries)
    except RuntallyError as error:
        raise unavailable(error) from error
    gateway.counters["lineage_events"] += len(events)


async def _told(gateway: Gateway, placed: _Placed, *, announce: bool) -> list[Entry]:
    event, place = placed
    completes = place.client is not None and event.transition is Transition.COMPLETE
    found = gateway.lineage.mapping.totals_of(event.written, completes=completes)
    totals = await _in_date(gateway, placed, found)
    if place.client is not None:
        return tell_client(event, place, totals, announce=announce)
    ends: list[End] = []
    if found or event.transition.ends:
        end = End(event.transition, event.at) if event.transition.ends else None
        keep_s = gateway.settings.retention_s
        ends = await gateway.store.run(lambda link: own_ends(link, place.run, counts=bool(found), end=end, keep_s=keep_s))
    return tell_job(event, place, totals, ends)


async def _in_date(gateway: Gateway, placed: _Placed, totals: dict[str, Any]) -> dict[str, Any]:
    """The totals of which no later event has told already."""
    if not totals:
        return totals
    metrics, at, keep_s = list(totals), placed.event.at, gateway.settings.retention_s
    current = await gateway.store.run(lambda link: newest(link, placed.counted, metrics, at, keep_s))
    gateway.counters["lineage_totals_outdated"] += len(totals) - len(current)
    return {name: value for name, value in totals.items() if name in current}
