"""Who sent a request, and what that allows."""

from __future__ import annotations

from dataclasses import dataclass

from contract.shown import shown
from producers.gateway.access.token import Scope
from producers.gateway.problem import Problem


@dataclass(frozen=True, slots=True)
class Caller:
    """`name` stands in logs. `clients`, `sources`: which may be touched; None for all."""

    id: str
    name: str
    scopes: frozenset[Scope]
    clients: frozenset[str] | None = None
    sources: tuple[str, ...] | None = None

    def require(self, scope: Scope) -> None:
        """Raises Problem (403) without the scope."""
        if scope not in self.scopes:
            raise Problem(403, "scope-missing", f"this token lacks the scope {scope}: make one with `runtally token create`")

    def may_touch(self, client: str | None) -> bool:
        """Whether a client, or with None a job as a whole, is the caller's to write and read. A job belongs to no one client."""
        return self.clients is None or (client is not None and client in self.clients)

    def require_client(self, client: str | None) -> None:
        """Raises Problem (403) unless `may_touch`."""
        if not self.may_touch(client):
            whose = "a job as a whole" if client is None else "this client"
            raise Problem(403, "client-forbidden", f"this token is for some clients only, and may not touch {whose}")

    def may_speak_for(self, source: str) -> bool:
        """Whether events of a source are the caller's to send."""
        return self.sources is None or any(source == own or source.startswith(own.rstrip("/") + "/") for own in self.sources)

    def require_source(self, source: str) -> None:
        """Raises Problem (403) unless `may_speak_for`."""
        if not self.may_speak_for(source):
            raise Problem(403, "source-forbidden", f"this token may not send events of source {shown(source)}")
