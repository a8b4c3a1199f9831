"""The layout recorded in Redis at first use: partitions and version, fixed from then on."""

from __future__ import annotations

from contract import keys
from contract.errors import LayoutMismatch, StoreRefused
from contract.link import Link


def claim_layout(link: Link, partitions: int) -> None:
    """Record this layout if Redis has none, else compare. Safe to repeat; the first caller wins.

    Raises LayoutMismatch when Redis was set up with other partitions or another layout, StoreUnavailable, StoreRefused.
    """
    found = link.call("HMGET", keys.META, "layout", "partitions")
    if None in found:
        claims = [("HSETNX", keys.META, "layout", keys.LAYOUT), ("HSETNX", keys.META, "partitions", partitions)]
        for reply in link.pipeline(claims):
            if isinstance(reply, StoreRefused):
                raise reply
        found = link.call("HMGET", keys.META, "layout", "partitions")
    layout, recorded = (int(value) for value in found)
    if layout != keys.LAYOUT:
        raise LayoutMismatch(
            f"Redis holds layout {layout}, this version needs {keys.LAYOUT}: use the version that wrote it, or another Redis"
        )
    if recorded != partitions:
        raise LayoutMismatch(f"Redis was set up with {recorded} partitions: set RUNTALLY_PARTITIONS={recorded}, or use another Redis")
