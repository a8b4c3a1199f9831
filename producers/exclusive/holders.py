"""Who holds which lock: for people who look, and who end a lock that nobody will."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contract import keys
from contract.errors import StoreRefused
from contract.link import Command, Link
from producers.exclusive.grant import RELEASE
from producers.exclusive.scope import Scope


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: `run_id` (None when it told none), `host` and `pid`, since `age_s`, for `remaining_s` unless it renews."""

    scope: Scope
    run_id: str | None
    host: str
    pid: int
    age_s: float
    remaining_s: float
    fence: int
    token: str = field(repr=False)


def held(link: Link) -> list[Holder]:
    """Every lock that is held, the oldest taking first. Raises StoreUnavailable, StoreRefused."""
    names = [name.decode() for name in link.call("ZRANGE", keys.LOCKS_HELD, 0, -1)]
    commands: list[Command] = [("TIME",)]
    commands += [command for name in names for command in (("HGETALL", name), ("PTTL", name))]
    (seconds, micros), *replies = _granted(link.pipeline(commands))
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    found = [(_texts(replies[n]), int(replies[n + 1])) for n in range(0, len(replies), 2)]
    holders = [_holder(fields, left_ms, now_ms) for fields, left_ms in found if fields]
    return sorted(holders, key=lambda holder: holder.fence)


def release(link: Link, holder: Holder) -> bool:
    """End this holding, and no later one of the same lock. False when it had ended. Its owner notices at its next renewal.

    Raises StoreUnavailable, StoreRefused. Safe to repeat.
    """
    return bool(RELEASE.run(link, [holder.scope.key, keys.LOCKS_HELD], [holder.token]))


def _holder(fields: Mapping[str, str], left_ms: int, now_ms: int) -> Holder:
    stream = fields.get("stream")
    return Holder(
        scope=Scope(fields["operation"], None if stream is None else int(stream), fields.get("client")),
        run_id=fields.get("run"),
        host=fields["host"],
        pid=int(fields["pid"]),
        age_s=max(0, now_ms - int(fields["since_ms"])) / 1000,
        remaining_s=max(0, left_ms) / 1000,
        fence=int(fields["fence"]),
        token=fields["token"],
    )


def _texts(reply: list[bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in zip(reply[::2], reply[1::2], strict=True)}


def _granted(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, StoreRefused):
            raise reply
    return replies
