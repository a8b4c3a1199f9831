"""The sweeper: a run that nobody has heard of for `stale_after_s` is closed, by an event, so that nothing stays Running for ever.

The server's clock decides, not the producers'. The event carries when the row was last heard of; the fold ignores it when there
was a sign of life since, such as one that still waits in the log. Two sweepers do no harm: what they append is the same event.
"""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

from contract import keys
from contract.events import EventType
from contract.link import Link
from contract.run_id import require
from contract.settings import Settings
from worker.appending import append
from worker.maintain import now_ms

SOURCE = "/sweeper"

_AT_ONCE = 500
"""Rows closed in a partition and sweep: the next sweep goes on."""

_log = structlog.get_logger("runtally.sweep")


def sweep(link: Link, settings: Settings) -> int:
    """Append an expiry for every silent row; how many. Raises StoreUnavailable, StoreRefused; may be repeated."""
    now = now_ms(link)
    silent_since = now - int(settings.stale_after_s * 1000)
    closed = 0
    for partition in range(settings.partitions):
        silent = link.call("ZRANGE", keys.open_rows(partition), "-inf", f"({silent_since}", "BYSCORE", "LIMIT", 0, _AT_ONCE, "WITHSCORES")
        for row_id, seen in zip(silent[::2], silent[1::2], strict=True):
            _expire(link, settings, row_id.decode(), int(float(seen)), now)
            closed += 1
    return closed


def _expire(link: Link, settings: Settings, row_id: str, seen_ms: int, now: int) -> None:
    subject = require(row_id)
    assert subject.base is not None
    minutes = (now - seen_ms) / 60_000
    job = subject.client is None
    note = f"closed as Failed: no event for {minutes:.0f} min" + (", and the job never said that it was complete" if job else "")
    append(
        link,
        settings.partitions,
        type=EventType.JOB_EXPIRED if job else EventType.CLIENT_EXPIRED,
        run_id=subject.base,
        client_id=subject.client,
        data={"seen_ms": seen_ms, "note": note},
        source=SOURCE,
        id=f"{row_id}/{seen_ms}",
        time=datetime.fromtimestamp(now / 1000, UTC),
    )
    _log.warning("silent run closed", run_id=subject.base, client_id=subject.client, silent_min=round(minutes, 1))
