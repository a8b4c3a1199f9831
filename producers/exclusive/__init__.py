"""No duplicate jobs: one holder for an operation, or for a stream or a client of it, on all machines (docs/locks.md)."""

from producers.exclusive.holders import Holder, held, release
from producers.exclusive.lock import Exclusive, IfUnavailable, exclusive
from producers.exclusive.scope import Scope

__all__ = ["Exclusive", "Holder", "IfUnavailable", "Scope", "exclusive", "held", "release"]
