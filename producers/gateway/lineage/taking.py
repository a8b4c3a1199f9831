"""Run events into the log: placed, told, stripped of totals that are out of date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from contract.errors import RuntallyError
from producers.gateway.access.caller import Caller
from producers.gateway.context import Gateway, unavailable
from producers.gateway.entry import Entry, Outdated
from producers.gateway.lineage.memory import End, own_ends
from producers.gateway.lineage.place import Place, find_place, foreseen_client
from producers.gateway.lineage.run_event import RunEvent, Transition
from producers.gateway.lineage.telling import source_of, tell_client, tell_job


class _Telling(NamedTuple):
    """What one event has to tell: its totals, how it is told with any part of them, and what the log is still to get of that."""

    totals: dict[str, Any]
    tell: Callable[[dict[str, Any]], list[Entry]]
    entries: list[Entry]

    def without(self, outdated: Outdated) -> _Telling:
        """What is left to tell when these were left out and the others are in the log."""
        late = {metric for entry in self.entries for metric in outdated.get(entry, ())}
        totals = {metric: value for metric, value in self.totals.items() if metric not in late}
        return _Telling(totals, self.tell, [entry for entry in self.tell(totals) if entry not in self.entries])


async def take_run_events(gateway: Gateway, caller: Caller, events: Sequence[RunEvent]) -> list[Place]:
    """Return once the log has what they say: where each belongs. Raises Problem: 403 for what is not the caller's, then nothing is taken;
    503.

    Safe to repeat as a whole."""
    for event in events:
        caller.require_source(source_of(event))
    try:
        await _check_clients(gateway, caller, events)
        placed = [(event, await find_place(gateway.named_runs, gateway.lineage, event)) for event in events]
        for _, place in placed:
            # Once more: another sender may have placed it since.
            caller.require_client(place.client)
        await _put(gateway, [await _telling(gateway, event, place, announce=caller.may_touch(None)) for event, place in placed])
    except RuntallyError as error:
        raise unavailable(error) from error
    gateway.counters["lineage_events"] += len(events)
    return [place for _, place in placed]


async def _check_clients(gateway: Gateway, caller: Caller, events: Sequence[RunEvent]) -> None:
    """Raises Problem (403) for what is not the caller's, before any run gets a place. A run that an event before has placed keeps it."""
    if caller.may_touch(None):
        return
    clients: dict[str, str | None] = {}
    for event in events:
        if event.run not in clients:
            clients[event.run] = await foreseen_client(gateway.named_runs, gateway.lineage, event)
        caller.require_client(clients[event.run])


async def _put(gateway: Gateway, tellings: list[_Telling]) -> None:
    """Again without what is out of date, until nothing was left out: at most once for each metric."""
    while tellings:
        outdated = await gateway.put([entry for telling in tellings for entry in telling.entries])
        gateway.counters["lineage_totals_outdated"] += sum(map(len, outdated.values()))
        tellings = [telling.without(outdated) for telling in tellings if not outdated.keys().isdisjoint(telling.entries)]


async def _telling(gateway: Gateway, event: RunEvent, place: Place, *, announce: bool) -> _Telling:
    completes = place.client is not None and event.transition is Transition.COMPLETE
    totals = gateway.lineage.totals_of(event.written, completes=completes)
    if place.client is not None:
        tell = partial(tell_client, event, place, announce=announce)
    else:
        tell = partial(tell_job, event, place, ends=await _ends(gateway, event, place, counts=bool(totals)))
    return _Telling(totals, tell, tell(totals))


async def _ends(gateway: Gateway, event: RunEvent, place: Place, *, counts: bool) -> list[End]:
    """The ends to tell of the client run under which a job counts for itself."""
    if not counts and not event.transition.ends:
        return []
    end = End(event.transition, event.at) if event.transition.ends else None
    keep_s = gateway.settings.retention_s
    return await gateway.store.run(lambda link: own_ends(link, place.run, counts=counts, end=end, keep_s=keep_s))
