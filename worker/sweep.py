"""The sweeper: a run that nobody has heard of for `stale_after_s` is closed, by an event, so that nothing stays Running for ever.

The server's clock decides, not the producers'. The event carries when the row was last heard of; the fold ignores it when there
was a sign of life since, such as one that still waits in the log. Two sweepers do no harm: what they append is the same event.
"""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

from contract import keys
from contract.about import about
from contract.events import EventType
from contract.link import Link
from contract.run_id import RunId, parse
from contract.settings import Settings
from contract.sources import SWEEPER
from worker.appending import append
from worker.maintain import now_ms
from worker.store.wrong_type import is_wrong_type, move_aside, passed_over

_AT_ONCE = 500
"""Rows closed in a partition and sweep: the next sweep goes on."""

_log = structlog.get_logger("runtally.sweep", operation="sweep")


def sweep(link: Link, settings: Settings) -> int:
    """Append an expiry for every silent row; how many. Raises StoreUnavailable, StoreRefused; may be repeated."""
    now = now_ms(link)
    silent_since = now - int(settings.stale_after_s * 1000)
    closed = 0
    for partition in range(settings.partitions):
        for row_id, seen_ms in _silent(link, partition, silent_since):
            subject = parse(row_id.decode(errors="replace"))
            if subject.base is None or str(subject.standard).encode() != row_id:
                _log.warning("an open row's ID is no run ID: written past the log", key=keys.open_rows(partition), member=row_id[:60])
                continue
            _expire(link, settings, subject, seen_ms, now)
            closed += 1
    return closed


def _silent(link: Link, partition: int, since_ms: int) -> list[tuple[bytes, int]]:
    """Row IDs and ms of the last sign of life. Where no set of open rows is, one begins anew."""
    key = keys.open_rows(partition)
    replies = link.pipeline([("ZRANGE", key, "-inf", f"({since_ms}", "BYSCORE", "LIMIT", 0, _AT_ONCE, "WITHSCORES")])
    if is_wrong_type(replies[0]):
        move_aside(link, key, "zset")
    [silent] = passed_over(replies, ())
    return [(row_id, int(float(seen))) for row_id, seen in zip(silent[::2], silent[1::2], strict=True)]


def _expire(link: Link, settings: Settings, subject: RunId, seen_ms: int, now: int) -> None:
    minutes = (now - seen_ms) / 60_000
    job = subject.client is None
    note = f"closed as Failed: no event for {minutes:.0f} min" + (", and the job never said that it was complete" if job else "")
    event_type = EventType.JOB_EXPIRED if job else EventType.CLIENT_EXPIRED
    append(
        link,
        settings.partitions,
        type=event_type,
        run_id=str(subject.base),
        client_id=subject.client,
        data={"seen_ms": seen_ms, "note": note},
        source=SWEEPER,
        id=f"{subject.standard}/{seen_ms}",
        time=datetime.fromtimestamp(now / 1000, UTC),
    )
    _log.warning("silent run closed", event_type=str(event_type), silent_min=round(minutes, 1), **about(subject.standard))
