"""Which events are about a job and which about a client, and whether a row ID suits: what does not could never count."""

from __future__ import annotations

from contract.errors import EventRejected, RunIdConflict
from contract.events import INTERNAL_TYPES, EventType
from contract.shown import shown

_OF_CLIENT = {kind.value: kind.value.startswith("client.") for kind in EventType if kind not in INTERNAL_TYPES}

TYPES = sorted(_OF_CLIENT)
"""The types that anybody may emit."""


def check_address(kind: str, run: str, row_id: str) -> None:
    """`run` is the base of `row_id`, which is longer where it names a client.

    Raises EventRejected for a type that there is not, or only for Runtally itself, and for a client's event without a client;
    RunIdConflict for a job's event with one. Each says what to write instead."""
    of_client = _OF_CLIENT.get(kind)
    if of_client is (row_id != run):
        return
    if of_client is None:
        raise EventRejected(f"{shown(kind)} is no type of event; there are {', '.join(TYPES)}")
    if of_client:
        raise EventRejected(f"{kind} is about a client: give its ID too, beside the run ID or in it ({run}-<Client ID>)")
    raise RunIdConflict(f"{kind} is about a job, and {shown(row_id)} is a client's run: give no client, and {run} as run ID")
