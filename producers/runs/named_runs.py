"""Runs that go by another name elsewhere: the first to ask takes a run ID, all others, on any machine, get the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract import keys
from contract.errors import RuntallyError
from contract.link import Link
from producers.alone import is_alone
from producers.runs.run_ids import TakenId, take_run_id

if TYPE_CHECKING:
    from contract.settings import Settings

_REMEMBERED_S = 172_800
_TIMEOUT_S = 2.0


def run_named(settings: Settings, kind: str, name: str) -> TakenId:
    """The run of this name, remembered for two days after it was last asked for; `origin` is "" unless the run ID was made just now.

    Asks Redis for a few seconds at most; never raises for its absence: then it is a run ID of its own, not `reserved`.
    """
    if is_alone():
        return take_run_id(settings)
    key = keys.named_run(kind, name)
    link = Link(settings.redis_url.get_secret_value(), name="runtally-run-id", timeout_s=_TIMEOUT_S)
    try:
        link.open()
        known = link.call("GETEX", key, "EX", _REMEMBERED_S)
        if known is None:
            taken = take_run_id(settings)
            claimed = claim(link, key, taken.run_id, _REMEMBERED_S)
            return taken if claimed == taken.run_id else TakenId(claimed, "", True)
        return TakenId(known.decode(), "", True)
    except RuntallyError:
        return take_run_id(settings)
    finally:
        link.close()


def claim(link: Link, key: str, candidate: str, ttl_s: int) -> str:
    """The run ID under this key, `candidate` if there was none. Safe to repeat. Raises StoreUnavailable, StoreRefused."""
    link.call("SET", key, candidate, "NX", "EX", ttl_s)
    known: bytes | None = link.call("GET", key)
    return candidate if known is None else known.decode()


def known_run(settings: Settings, kind: str, name: str) -> str | None:
    """The run ID of this name, if there is one and Redis can be asked. Changes nothing, never raises for Redis' absence."""
    if is_alone():
        return None
    link = Link(settings.redis_url.get_secret_value(), name="runtally-run-id", timeout_s=_TIMEOUT_S)
    try:
        link.open()
        known = link.call("GET", keys.named_run(kind, name))
    except RuntallyError:
        return None
    finally:
        link.close()
    return None if known is None else str(known.decode())
