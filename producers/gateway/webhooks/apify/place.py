"""Where an Apify run is counted: in the run that its payload names, else in a run of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from contract import run_id as run_ids
from contract.errors import RuntallyError
from contract.run_id import Format, RunId
from contract.shown import shown
from producers.gateway.access.caller import Caller
from producers.gateway.context import unavailable
from producers.gateway.problem import Problem
from producers.gateway.webhooks.apify.payload import CLIENT_ID, RUN_ID, ApifyEvent
from producers.gateway.webhooks.client import client_of

if TYPE_CHECKING:
    from producers.gateway.context import Gateway

_NO_CLIENT = (
    "whose run is it? Add a variable to the webhook's payload template, "
    '`"client_id": "<client ID>"` (or `"run_id": "<run ID>-<client ID>"`), or ?client=<client ID> to its URL'
)


class Place(NamedTuple):
    """`own`: the run is this Apify run and nothing else, so its start and end are the job's."""

    run: str
    client: str
    own: bool

    @property
    def row_id(self) -> str:
        """The client run's."""
        return run_ids.with_client(self.run, self.client)


async def place_of(gateway: Gateway, event: ApifyEvent, caller: Caller, named: str | None) -> Place:
    """The place. `named`: the client that the request names. Raises Problem: 422 for what contradicts, is no run ID, or has no client;
    403 for a client that is not the caller's; 503."""
    given = None if event.run_id is None else _given(event.run_id, event.run)
    in_run_id = None if given is None else given.client
    told = {client for client in (in_run_id, event.client, named) if client is not None}
    if len(told) > 1:
        reason = f"{', '.join(map(shown, sorted(told)))}: run_id, client_id and ?client= name different clients"
        raise Problem(422, "client-ambiguous", reason, errors=[{"field": CLIENT_ID[0], "reason": reason}])
    client = client_of(caller, told.pop() if told else None)
    if client is None:
        raise Problem(422, "client-missing", _NO_CLIENT, errors=[{"field": CLIENT_ID[0], "reason": "is needed"}])
    if given is not None:
        assert given.base is not None
        return Place(given.base, client, own=False)
    try:
        run = await gateway.named_runs.run_id("apify", event.run, at=event.started or event.at or datetime.now(UTC))
    except RuntallyError as error:
        raise unavailable(error) from error
    return Place(run, client, own=True)


def _given(text: str, apify_run: str) -> RunId | None:
    """The run of the template; None where the template repeats Apify's own ID."""
    run = run_ids.parse(text)
    if run.format is Format.EXTERNAL and run.external_id == apify_run:
        return None
    if not run.valid:
        reason = f"{shown(text)} cannot be used: {run.reason}; send a run ID such as 250930-141522 or 250930-141522-<client ID>, or none"
        raise Problem(422, "payload-refused", f"run_id {reason}", errors=[{"field": RUN_ID[0], "reason": reason}])
    return run
