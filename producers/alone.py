"""Whether this process keeps to itself: while `producers.testing` records, Redis is asked for nothing and no thread is started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_depth = 0


def is_alone() -> bool:
    """Run IDs are then this process's own, locks are granted, nothing is marked as finished, and there are no heartbeats."""
    return _depth > 0


@contextmanager
def alone() -> Iterator[None]:
    """Within the block, in all threads. May be nested."""
    global _depth  # noqa: PLW0603  # as the default publisher, it is of the process
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
