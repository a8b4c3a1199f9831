"""Dead letters of webhooks: what a known sender has sent and cannot be used, kept with its reason. Most senders never send it again, or the
same again until they give up.

Bodies only: headers hold the secrets.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from contract import keys
from contract.errors import StoreRefused
from contract.link import Link
from contract.scripts import Script

if TYPE_CHECKING:
    from contract.settings import Settings
    from producers.gateway.store import Store

MOST_CHARS = 65_536
"""Characters kept of a body; of a longer one the beginning."""

_MOST_REASON = 1_000
_KEEP = Script(Path(__file__).parents[1] / "lua" / "letter_keep.lua")


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


def _kept(link: Link, calls: Iterable[tuple[list[str], list[str | int]]]) -> list[int]:
    kept = _KEEP.run_many(link, list(calls))
    for reply in kept:
        if isinstance(reply, StoreRefused):
            raise reply
    return kept


def _readable(text: str) -> str:
    """The text without halves of surrogate pairs, which Redis cannot be sent."""
    return text.encode("utf-8", "replace").decode()
