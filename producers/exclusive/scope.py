"""What a lock is for."""

from __future__ import annotations

from typing import NamedTuple

from contract import keys
from contract.errors import LockInvalid, RunIdInvalid
from contract.run_id_value import client_fault

_MAX_CHARS = 200


class Scope(NamedTuple):
    """An operation, or one stream or one client of it. Scopes do not block each other, the bare operation included."""

    operation: str
    stream: int | None = None
    client: str | None = None

    @property
    def key(self) -> str:
        """Its key in Redis."""
        return keys.lock(*self)

    def __str__(self) -> str:
        if self.stream is not None:
            return f"{self.operation}, stream {self.stream}"
        return self.operation if self.client is None else f"{self.operation}, client {self.client}"


def scope_of(operation: str, stream: int | None, client: str | None) -> Scope:
    """The scope, checked. Operations are compared verbatim but for surrounding space. Raises LockInvalid, RunIdInvalid."""
    text = operation.strip() if isinstance(operation, str) else ""
    if not text or len(text) > _MAX_CHARS or not text.isprintable():
        raise LockInvalid(f"the operation of a lock is a printable text of 1 to {_MAX_CHARS} characters, not {operation!r:.100}")
    if stream is not None and (not isinstance(stream, int) or isinstance(stream, bool)):
        raise LockInvalid(f"a stream is a whole number, not {stream!r:.100}")
    if client is None:
        return Scope(text, stream)
    if stream is not None:
        raise LockInvalid("a lock is for a stream or for a client of an operation, not for both")
    if fault := client_fault(client):
        raise RunIdInvalid(f"the client ID {fault}")
    return Scope(text, None, client.strip())
