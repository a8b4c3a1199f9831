"""Receipts: what became of a delivery, kept in Redis, so that a repeat is answered the same and its items are not handled again.

A receipt is kept before the events are put into the log: whoever finds one puts the same events again, which count once. A process that
dies between handling and keeping leaves none: then a repeat is handled again, once the dead one's claim has ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from secrets import token_hex
from typing import NamedTuple

import msgspec

from contract import keys
from contract.errors import RuntallyError
from contract.link import Link
from producers.gateway.problem import Problem
from producers.gateway.store import Store

_CLAIM_S = 600
_WAIT_S = 10.0
_LOOK_S = 0.1
_END_S = 5.0
_CLAIM = b"?"
"""First byte of a claim. A receipt is JSON, and begins otherwise."""


class Receipt(msgspec.Struct, frozen=True):
    """What a delivery came to. `run`: the job it counts in. `at`: when it was taken, aware. `body`: digest of its bytes.

    received = accepted + skipped + failed. `skips`: reason -> count, bounded. `error`: what went wrong with the failed ones, shortened.
    """

    run: str
    client: str
    at: datetime
    body: str
    received: int
    accepted: int
    skipped: int
    failed: int
    skips: dict[str, int] = msgspec.field(default_factory=dict)
    error: str | None = None


class Known(NamedTuple):
    """A receipt, and whether this is the delivery that it was written for, and no repeat."""

    receipt: Receipt
    first: bool


_decode = msgspec.json.Decoder(Receipt).decode


class Receipts:
    """One for each event loop. A receipt is kept for `memory_s`, as long as the identities of its events."""

    def __init__(self, store: Store, memory_s: int) -> None:
        """Connects to nothing yet."""
        self._store = store
        self._memory_s = memory_s
        self._under_way: dict[str, asyncio.Task[Known]] = {}

    async def once(self, digest: str, work: Callable[[], Awaitable[Receipt]]) -> Known:
        """The delivery's receipt: from before, or what `work` returns. Deliveries of one digest are worked on one at a time, on all
        machines; what is begun is ended, whether somebody still waits for it or not.

        Raises Problem (503) while another machine works on it for long; StoreUnavailable, StoreRefused; and what `work` raises.
        """
        task = self._under_way.get(digest)
        if task is not None:
            return (await asyncio.shield(task))._replace(first=False)
        task = self._under_way[digest] = asyncio.create_task(self._find_or_make(digest, work))
        task.add_done_callback(lambda _: self._under_way.pop(digest))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Wait a few seconds for what is worked on."""
        if self._under_way:
            await asyncio.wait(list(self._under_way.values()), timeout=_END_S)

    async def _find_or_make(self, digest: str, work: Callable[[], Awaitable[Receipt]]) -> Known:
        key = keys.webhook_receipt(digest)
        claim = _CLAIM + token_hex(8).encode()
        found = await self._found(key, claim)
        if found != claim:
            return Known(_decode(found), False)
        try:
            receipt = await work()
            await self._store.call("SET", key, msgspec.json.encode(receipt), "EX", self._memory_s)
        except BaseException:
            # Nothing of it is in the log yet: whoever sends it again begins anew.
            with suppress(RuntallyError):
                await self._store.call("DEL", key)
            raise
        return Known(receipt, True)

    async def _found(self, key: str, claim: bytes) -> bytes:
        """The receipt, or the claim if it is ours now."""
        deadline = time.monotonic() + _WAIT_S
        while True:
            found = await self._store.run(lambda link: _claim(link, key, claim))
            if found == claim or not found.startswith(_CLAIM):
                return found
            if time.monotonic() > deadline:
                raise Problem(503, "delivery-under-way", "this delivery is being worked on: ask again later", retry_after_s=5)
            await asyncio.sleep(_LOOK_S)


def _claim(link: Link, key: str, claim: bytes) -> bytes:
    link.call("SET", key, claim, "NX", "EX", _CLAIM_S)
    found: bytes | None = link.call("GET", key)
    # It ended between the two: the next look claims it.
    return _CLAIM if found is None else found
