"""Who made the run IDs that this process has handed out.

It goes with every announcement of such a run and its clients: that is how two makers of one ID are found out, which happens when it was
made while Redis was away.
"""

from __future__ import annotations

from collections import OrderedDict

_REMEMBERED = 4_096

_origins: OrderedDict[str, str] = OrderedDict()


def remember(base: str, origin: str) -> None:
    """`origin` has made this run ID. The last 4,096 are known, in forked children too."""
    _origins[base] = origin
    if len(_origins) > _REMEMBERED:
        _origins.popitem(last=False)


def origin_of(base: str) -> str | None:
    """Who made this run ID, if it was this process (or its parent, before the fork)."""
    return _origins.get(base)
