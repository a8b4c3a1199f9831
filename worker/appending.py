"""How the worker's side has a row changed: it appends an event to the log, like everybody else. Only the fold writes rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from contract import keys
from contract.errors import StoreRefused
from contract.events import encode_event, join_batch
from contract.link import Command, Link


def append(  # noqa: PLR0913  # the attributes of an event
    link: Link,
    partitions: int,
    *,
    type: str,
    run_id: str,
    client_id: str | None = None,
    data: Mapping[str, Any],
    source: str,
    id: str,
    time: datetime,
) -> str:
    """Append one event, in a batch of its own, and ring for it; the ID of the log entry. One round trip.

    `run_id`: the base run ID. (`source`, `id`, subject) is the event's identity: an ID made from what is asked for, not from when
    it is asked, lets a repeat count once, for `id_memory_s`. `time`: aware. Raises StoreUnavailable (it may have been appended: ask again
    with the same identity), StoreRefused (it was not), ValueError for a run or client ID that is empty, and what `encode_event` raises.
    """
    if not run_id or client_id == "":
        raise ValueError("an event needs a run ID, and a client ID that is not empty or none")
    subject = run_id if client_id is None else f"{run_id}-{client_id}"
    event = encode_event(id=id, source=source, type=type, subject=subject, time=time, sequence=None, data=dict(data))
    partition = keys.partition_of(run_id, partitions)
    commands: list[Command] = [
        ("XADD", keys.log(partition), "*", "batch", join_batch([event])),
        ("ZADD", keys.BELL, 0, partition),
    ]
    # A bell that does not ring costs a second: the event is in the log.
    appended, _ = link.pipeline(commands)
    if isinstance(appended, StoreRefused):
        raise appended
    return str(appended.decode())
