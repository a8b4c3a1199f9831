"""Dead letters of webhooks: what a known sender has sent and cannot be used, kept with its reason. Most senders never send it again, or the
same again until they give up.

Bodies only: headers hold the secrets.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from contract import keys
from contract.errors import RuntallyError, StoreRefused
from contract.link import Link
from contract.scripts import Script
from producers.gateway.problem import Problem
from producers.gateway.webhooks.handling import Failure
from producers.gateway.webhooks.sender import Received
from producers.gateway.webhooks.telling import source_of

if TYPE_CHECKING:
    from contract.settings import Settings
    from producers.gateway.context import Gateway
    from producers.gateway.store import Store

MOST_CHARS = 65_536
"""Characters kept of a body; of a longer one the beginning."""

_MOST_REASON = 1_000
_UNUSABLE = 422
_KEEP = Script(Path(__file__).parents[1] / "lua" / "letter_keep.lua")
_log: Any = structlog.get_logger("runtally.gateway")


class Letter(NamedTuple):
    """`identity`: the same whenever this is set aside again. `origin`: where it came from, JSON members. `text`: what cannot be used."""

    identity: str
    reason: str
    origin: dict[str, Any]
    text: str


class WebhookLetters:
    """One for each event loop."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Connects to nothing yet."""
        self._store = store
        self._most = settings.dead_letters
        self._memory_s = settings.id_memory_s

    async def keep(self, letters: Sequence[Letter]) -> int:
        """Keep each once, for as long as identities are remembered; how many are new. One round trip. Raises StoreUnavailable,
        StoreRefused: then some may be kept; safe to repeat."""
        if not letters:
            return 0
        calls = [self._call(letter) for letter in letters]
        return sum(await self._store.run(lambda link: _kept(link, calls)))

    def _call(self, letter: Letter) -> tuple[list[str], list[str | int]]:
        mark = keys.gateway_letter(sha256(letter.identity.encode("utf-8", "surrogatepass")).hexdigest()[:40])
        cut = {"cut_chars": len(letter.text) - MOST_CHARS} if len(letter.text) > MOST_CHARS else {}
        origin = {name: value for name, value in (letter.origin | cut).items() if value is not None}
        texts = (letter.reason[:_MOST_REASON], json.dumps(origin), letter.text[:MOST_CHARS])
        return [keys.GATEWAY_DEAD, keys.GATEWAY_COUNTERS, mark], [self._most, self._memory_s, *map(_readable, texts)]


@asynccontextmanager
async def kept_if_refused(gateway: Gateway, route: str, come: Received) -> AsyncIterator[dict[str, Any]]:
    """The request is kept when the block ends with a Problem (422), which is passed on. Yields the letter's origin, to add to it
    (`client`). Where it cannot be kept now, that is logged: the sender has it, and is told."""
    origin: dict[str, Any] = {"route": route, "caller": come.sender.caller.name}
    try:
        yield origin
    except Problem as problem:
        if problem.status == _UNUSABLE:
            await _keep_request(gateway, come, origin | {"code": problem.code}, problem.detail)
        raise


def failed_items(kind: str, row_id: str, digest: str, failures: Iterable[Failure]) -> list[Letter]:
    """The items of a delivery whose handlers raised, each with its exception. `digest`: the delivery's."""
    origin = {"route": source_of(kind), "subject": row_id, "delivery": digest}
    return [
        Letter(
            f"{digest} {failure.number}",
            f"its handler raised {failure.text}",
            origin | {"item": failure.number},
            json.dumps(failure.item, ensure_ascii=False),
        )
        for failure in failures
    ]


async def _keep_request(gateway: Gateway, come: Received, origin: dict[str, Any], reason: str) -> None:
    text = come.body.decode("utf-8", "backslashreplace")
    identity = json.dumps([origin["route"], come.sender.caller.id, origin.get("client"), sha256(come.body).hexdigest()])
    try:
        gateway.counters["webhook_letters"] += await gateway.webhooks.letters.keep([Letter(identity, reason, origin, text)])
    except RuntallyError as error:
        _log.error("a webhook that cannot be used is not kept", route=origin["route"], reason=reason[:200], error=str(error))


def _kept(link: Link, calls: Iterable[tuple[list[str], list[str | int]]]) -> list[int]:
    kept = _KEEP.run_many(link, list(calls))
    for reply in kept:
        if isinstance(reply, StoreRefused):
            raise reply
    return kept


def _readable(text: str) -> str:
    """The text without halves of surrogate pairs, which Redis cannot be sent."""
    return text.encode("utf-8", "replace").decode()
