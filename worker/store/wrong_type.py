"""Keys of another type than they have to be: somebody wrote there past Runtally, a SET on a row's key, say.

What such a key held is gone: Redis keeps one value a key. What stands there instead is moved aside, whole, and the key begins anew, where
`runtally verify --repair` can fill it again: rows, and the indexes that follow from rows. What says which events have counted already
(state, watermarks, identities) nobody can give back but a person: its partition stands still, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import structlog

from contract import keys
from contract.errors import StoreRefused
from contract.link import Link
from worker.store.scripts import Script

Type = Literal["hash", "set", "zset", "stream", "string"]
"""As Redis' TYPE names them."""

INDEXES: dict[Callable[[int], str], Type] = {
    keys.publishers: "zset",
    keys.runs: "zset",
    keys.dirty: "zset",
    keys.dead: "stream",
    keys.open_rows: "zset",
}
"""Keys of a partition that begin anew; beside them the sets of clients do."""

LEDGERS: dict[Callable[[int], str], Type] = {keys.log: "stream", keys.state: "hash", keys.watermarks: "hash", keys.retired: "zset"}
"""Keys of a partition without which it stands still; beside them the sets of identities are."""

_MOVE_ASIDE = Script("move_aside")

_log = structlog.get_logger("runtally.store")


def is_wrong_type(reply: object) -> bool:
    """Whether Redis has refused a command because its key is of another type."""
    return isinstance(reply, StoreRefused) and reply.code == "WRONGTYPE"


def passed_over(replies: Sequence[Any], instead: object) -> list[Any]:
    """The replies, with `instead` for each whose key is of the wrong type. Raises StoreRefused when one is refused for another reason."""
    kept = [instead if is_wrong_type(reply) else reply for reply in replies]
    for reply in kept:
        if isinstance(reply, StoreRefused):
            raise reply
    return kept


def granted(reply: Any, key: str) -> Any:
    """The reply to a command about a key that cannot begin anew. Raises StoreRefused, which names the key and what to do."""
    if is_wrong_type(reply):
        raise standing_still(key)
    if isinstance(reply, StoreRefused):
        raise reply
    return reply


def standing_still(key: str) -> StoreRefused:
    """What is wrong, and what a person can do about it."""
    return StoreRefused(f"WRONGTYPE {key} is not what it has to be, so its partition stands still: {remedy(key)}")


def remedy(key: str) -> str:
    """What a person can do about a key without which its partition stands still."""
    what = key.partition("}:")[2].split(":")[0]
    after = {
        "log": "what was not folded yet is lost, as far as its publishers do not have it any more",
        "state": "the log that is kept is folded from its start, and what is remembered of publishers and identities counts once",
        "retired": "an event for a run whose rows have expired makes them of what comes from then on",
    }.get(what, "events that are sent again may count twice")
    return f"bring back what it held, or `RENAME {key} {keys.aside(key)}` and accept that {after}"


def move_aside(link: Link, key: str, wanted: Type) -> None:
    """Let a key begin anew, if it is not of the wanted type; where nothing is wrong it does nothing. May be repeated.

    Raises StoreUnavailable, StoreRefused.
    """
    found = _MOVE_ASIDE.run(link, [key, keys.aside(key)], [wanted])
    if found:
        hint = "`runtally verify --repair` brings back what follows from rows"
        _log.error("a key of the wrong type moved aside", key=key, found=found.decode(), wanted=wanted, kept_as=keys.aside(key), hint=hint)
