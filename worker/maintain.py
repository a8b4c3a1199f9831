"""What has to be looked after: partitions nobody rang for, what has had its time, and memory that runs out."""

from __future__ import annotations

import structlog

from contract import keys
from contract.errors import StoreRefused
from contract.link import Command, Link
from contract.settings import Settings
from worker.store import retired
from worker.store.offset import is_offset
from worker.store.wrong_type import is_wrong_type, passed_over

_PUBLISHERS_AT_ONCE = 1_000
_NEARLY_FULL = 0.85

RETIRED_MEMORY_S = 400 * 86_400
"""How long a retired run is remembered."""

RETIRED_MOST = 100_000
"""Most retired runs remembered of a partition: 7.5 MB."""

_log = structlog.get_logger("runtally.maintain")


def backlog(link: Link, partitions: int) -> dict[int, str]:
    """The partitions whose log has an entry after the offset, with their offsets. One round trip.

    One whose log or state is not what it has to be is passed over: it stands still, and its doorbell has that told.
    """
    commands: list[Command] = []
    for partition in range(partitions):
        commands.append(("HGET", keys.state(partition), "offset"))
        commands.append(("XREVRANGE", keys.log(partition), "+", "-", "COUNT", 1))
    replies = passed_over(link.pipeline(commands), None)
    waiting = {}
    for partition in range(partitions):
        offset, newest = replies[2 * partition], replies[2 * partition + 1]
        if newest and is_offset(offset or b"0-0") and _position(newest[0][0]) > _position(offset or b"0-0"):
            waiting[partition] = (offset or b"0-0").decode()
    return waiting


def trim_all(link: Link, settings: Settings) -> None:
    """`trim` for every partition. One whose keys are not what they have to be does not keep the others from it."""
    for partition in range(settings.partitions):
        try:
            trim(link, partition, settings)
        except StoreRefused as error:
            if not is_wrong_type(error):
                raise
            _log.warning("a partition cannot be trimmed: a key is of the wrong type", partition=partition)


def trim(link: Link, partition: int, settings: Settings) -> None:
    """Trim folded log entries older than `log_retention_s`, forget publishers that are long silent, retire runs that have had their time.

    An entry that is not folded is never trimmed, however old. Safe to repeat, and to run beside a commit.
    """
    folded = link.call("HMGET", keys.state(partition), "offset", "folded_ms")
    if folded[0] is None or not is_offset(folded[0]):
        return
    now = now_ms(link)
    horizon = min(_position(folded[0]), (now - settings.log_retention_s * 1000, 0))
    link.call("XTRIM", keys.log(partition), "MINID", f"{max(0, horizon[0])}-{horizon[1]}")
    silent_since = now - settings.publisher_memory_s * 1000
    silent = link.call("ZRANGE", keys.publishers(partition), "-inf", silent_since, "BYSCORE", "LIMIT", 0, _PUBLISHERS_AT_ONCE)
    if silent:
        link.call("HDEL", keys.watermarks(partition), *silent)
        link.call("ZREM", keys.publishers(partition), *silent)
    retire(link, partition, settings)


def retire(link: Link, partition: int, settings: Settings) -> int:
    """Delete the rows of finished runs that had no event, and no flush, for `retention_s`; how many runs. Rows that are still to be written
    to Airtable stay. What comes later for such a run is a dead letter. Safe to repeat, and to run beside a commit and a flush.
    """
    now = now_ms(link)
    until = _folded_to_ms(link, partition, now) - settings.retention_s * 1000
    done = retired.retire(link, partition, until_ms=until, written=settings.has_airtable)
    retired.forget(link, partition, before_ms=now - RETIRED_MEMORY_S * 1000, most=RETIRED_MOST)
    return done


def _folded_to_ms(link: Link, partition: int, now: int) -> int:
    """Until when whatever the server received is folded: what waits in the log has come in time, however long no worker was there."""
    offset = link.call("HGET", keys.state(partition), "offset") or b"0-0"
    waiting = link.call("XRANGE", keys.log(partition), b"(" + offset, "+", "COUNT", 1)
    return min(now, _position(waiting[0][0])[0]) if waiting else now


def relieve(link: Link, settings: Settings) -> int:
    """When Redis is nearly full, or a log half as long as it may be, trim all that is folded, whatever `log_retention_s` says.

    Entries trimmed. Works at maxmemory: trimming needs no memory. What is not folded is never trimmed.
    """
    memory, *lengths = passed_over(link.pipeline([("INFO", "memory"), *(("XLEN", keys.log(p)) for p in range(settings.partitions))]), 0)
    full = _nearly_full(memory)
    trimmed = 0
    for partition, length in enumerate(lengths):
        if length and (full or length > settings.log_max_entries // 2):
            [offset] = passed_over(link.pipeline([("HGET", keys.state(partition), "offset")]), None)
            if offset is not None and is_offset(offset):
                trimmed += int(link.call("XTRIM", keys.log(partition), "MINID", offset))
    if trimmed:
        _log.warning("folded log entries trimmed before their time", entries=trimmed, memory_full=full)
    return trimmed


def _nearly_full(memory: bytes) -> bool:
    figures = dict(line.split(b":", 1) for line in memory.splitlines() if b":" in line)
    most_bytes = int(figures.get(b"maxmemory", 0))
    return bool(most_bytes) and int(figures[b"used_memory"]) >= _NEARLY_FULL * most_bytes


def now_ms(link: Link) -> int:
    """The server's clock, in ms since the epoch."""
    seconds, micros = link.call("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


def _position(offset: bytes) -> tuple[int, int]:
    ms, _, number = offset.partition(b"-")
    return int(ms), int(number)
