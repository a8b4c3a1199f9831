"""The guard: finds out whose a bearer token is, and keeps each to its pace.

Tokens are remembered for a few seconds, so that a request costs a digest; a revoked token is refused `_REMEMBER_S` later at the
latest. While Redis is away the tokens it remembers stay good.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from contract.errors import RuntallyError
from producers.gateway.access import shelf
from producers.gateway.access.caller import Caller
from producers.gateway.access.pace import Pace
from producers.gateway.access.token import Token, id_of
from producers.gateway.problem import Problem
from producers.gateway.store import Store

_REMEMBER_S = 5.0
_MOST_REMEMBERED = 10_000
_CLOSED = "send `Authorization: Bearer <token>`; `runtally token create` makes one"


class Guard:
    """One for each event loop."""

    def __init__(self, store: Store, requests_per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._requests_per_s = requests_per_s
        self._tokens: dict[str, tuple[float, Token | None]] = {}
        self._callers: dict[str, Caller] = {}
        self._paces: dict[str, Pace] = {}

    async def caller(self, authorization: str | None) -> Caller:
        """Who the header says it is. Raises Problem: 401 for no token or a wrong one, 429 above the pace, 503 while tokens cannot be
        looked up."""
        scheme, _, text = (authorization or "").partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            raise Problem(401, "token-missing", _CLOSED)
        token_id = id_of(text)
        token = None if token_id is None else await self._token(token_id)
        if token is None or not token.proves(text):
            raise Problem(401, "token-unknown", f"there is no such token, or it was revoked; {_CLOSED}")
        if token.expires_ms is not None and token.expires_ms <= time.time() * 1000:
            raise Problem(401, "token-expired", f"this token has expired; {_CLOSED}")
        self.keep_pace(token.id)
        return self._caller(token)

    def keep_pace(self, who: str) -> None:
        """Count a request of `who`. Raises Problem (429) above the pace."""
        now = self._clock()
        pace = self._paces.get(who)
        if pace is None:
            if len(self._paces) >= _MOST_REMEMBERED:
                self._paces.clear()
            pace = self._paces[who] = Pace(self._requests_per_s, now)
        wait_s = pace.take(now)
        if wait_s > 0:
            detail = f"more than {self._requests_per_s:g} requests a second: wait, or send events in batches"
            raise Problem(429, "too-many-requests", detail, retry_after_s=max(1, round(wait_s + 0.5)))

    async def _token(self, token_id: str) -> Token | None:
        now = self._clock()
        known = self._tokens.get(token_id)
        if known is not None and now < known[0]:
            return known[1]
        try:
            token = await self._store.run(lambda link: shelf.find(link, token_id))
        except RuntallyError as error:
            if known is not None:
                return known[1]
            raise Problem(503, "store-away", "tokens cannot be looked up now: send it again later", retry_after_s=2) from error
        if len(self._tokens) >= _MOST_REMEMBERED:
            self._tokens.clear()
        self._tokens[token_id] = (now + _REMEMBER_S, token)
        return token

    def _caller(self, token: Token) -> Caller:
        caller = self._callers.get(token.digest)
        if caller is None:
            if len(self._callers) >= _MOST_REMEMBERED:
                self._callers.clear()
            clients = frozenset(token.clients) if token.clients else None
            sources = tuple(token.sources) if token.sources else None
            caller = self._callers[token.digest] = Caller(token.id, token.name, frozenset(token.scopes), clients, sources)
        return caller
