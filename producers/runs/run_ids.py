"""Making run IDs: UTC seconds, no two alike, reserved in Redis so that no other machine takes the same."""

from __future__ import annotations

from datetime import UTC, datetime
from secrets import token_hex
from typing import TYPE_CHECKING, NamedTuple

from contract import keys
from contract.errors import RuntallyError
from contract.link import Link
from contract.run_id import LocalIds, require
from producers import origins
from producers.alone import is_alone

if TYPE_CHECKING:
    from contract.settings import Settings

_RESERVED_S = 86_400
_TRIES = 1_000
_TIMEOUT_S = 2.0

_local = LocalIds()


class TakenId(NamedTuple):
    """A new run ID. `origin`: who made it. `reserved`: False when Redis could not be asked: then it is unique within this
    process only, and the fold reports a collision by its two origins."""

    run_id: str
    origin: str
    reserved: bool


def take_run_id(settings: Settings, now: datetime | None = None) -> TakenId:
    """The next free run ID at or after `now`. Asks Redis for 2 s at most; never raises for its absence.

    A crash after the reservation wastes that second's ID for a day.
    """
    origin = token_hex(8)
    candidate = _local.take(datetime.now(UTC) if now is None else now)
    if is_alone():
        return TakenId(candidate, origin, False)
    link = Link(settings.redis_url.get_secret_value(), name="runtally-run-id", timeout_s=_TIMEOUT_S)
    try:
        link.open()
        for _ in range(_TRIES):
            if link.call("SET", keys.reserved(candidate), origin, "NX", "EX", _RESERVED_S) is not None:
                return TakenId(candidate, origin, True)
            # Passed over for good: were Redis away the next time, it would not be known there that this second is taken.
            candidate = _local.take(_time_of(candidate))
    except RuntallyError:
        return TakenId(candidate, origin, False)
    finally:
        link.close()
    return TakenId(candidate, origin, False)


def make_run_id(settings: Settings, now: datetime | None = None) -> str:
    """`take_run_id` for those who get the run ID alone: `origins` remembers who made it."""
    run_id, origin, _ = take_run_id(settings, now)
    origins.remember(run_id, origin)
    return run_id


def _time_of(base: str) -> datetime:
    time = require(base).started_at
    assert time is not None
    return time
