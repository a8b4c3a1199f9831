"""Whether Redis answers and how far the workers are behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from contract import keys
from contract.errors import RuntallyError, StoreRefused
from contract.link import Link
from contract.settings import Settings
from worker.store.offset import is_offset
from worker.store.wrong_type import passed_over

_TIMEOUT_S = 2.0
_COUNTERS = ("events", "dead_value", "unknown_metrics", "integrity_warnings")


@dataclass(frozen=True)
class Backlog:
    """What waits to be folded: `partitions` that have entries waiting, and the age of the oldest of those in seconds."""

    partitions: int = 0
    oldest_s: float = 0.0


@dataclass(frozen=True)
class Health:
    """One look. `ok` says whether this service can do its work; `reason` says why not, without secrets.

    `redis`: it answered. `runs`: jobs kept. `running`: rows, of jobs and of client runs, that are Running. `events`: all
    that were ever counted. `dirty`: rows on their way to Airtable. `dead`: dead letters kept. `findings`: what is wrong
    with the rows, as far as beat's checks know (docs/verify.md). `dead_value`, `unknown_metrics`, `integrity_warnings`:
    values dropped, values of unknown metrics and rates that cannot be true, ever. `gateway`: what all gateways have counted,
    by name (docs/gateway.md). Counts are 0 when it did not answer.
    """

    ok: bool
    redis: bool
    partitions: int
    backlog: Backlog = Backlog()
    runs: int = 0
    running: int = 0
    events: int = 0
    dirty: int = 0
    dead: int = 0
    findings: int = 0
    dead_value: int = 0
    unknown_metrics: int = 0
    integrity_warnings: int = 0
    gateway: dict[str, int] = field(default_factory=dict)
    reason: str = ""


class HealthReader:
    """Looks with one connection of its own. Any thread may ask; they wait for one another, at most a few seconds."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is connected yet."""
        self._partitions = settings.partitions
        self._link = Link(settings.redis_url.get_secret_value(), name="runtally-web", timeout_s=_TIMEOUT_S)
        self._lock = threading.Lock()

    def read(self) -> Health:
        """How things stand now. Reads only; never raises for what Redis does or fails to do."""
        with self._lock:
            try:
                self._link.open()
                return self._look()
            except StoreRefused as error:
                return Health(ok=False, redis=True, partitions=self._partitions, reason=f"Redis refused: {error.code}")
            except RuntallyError:
                return Health(ok=False, redis=False, partitions=self._partitions, reason="Redis cannot be reached")

    def close(self) -> None:
        """Close the connection; a later `read()` opens it again."""
        with self._lock:
            self._link.close()

    def _look(self) -> Health:
        numbers = range(self._partitions)
        replies = self._ask(
            [
                ("HGET", keys.META, "partitions"),
                ("HLEN", keys.VERIFY_FOUND),
                ("HGETALL", keys.GATEWAY_COUNTERS),
                ("XLEN", keys.GATEWAY_DEAD),
                *(("HMGET", keys.state(number), "offset", *_COUNTERS) for number in numbers),
                *(("ZCARD", keys.runs(number)) for number in numbers),
                *(("ZCARD", keys.open_rows(number)) for number in numbers),
                *(("ZCARD", keys.dirty(number)) for number in numbers),
                *(("XLEN", keys.dead(number)) for number in numbers),
            ]
        )
        (recorded, findings, counters, webhooks), rest = replies[:4], replies[4:]
        states, runs, running, dirty, dead = (rest[part * len(numbers) : (part + 1) * len(numbers)] for part in range(5))
        offsets, *counted = zip(*(state or [None] * (1 + len(_COUNTERS)) for state in states), strict=True)
        fits = recorded is None or int(recorded) == self._partitions
        return Health(
            ok=fits,
            redis=True,
            partitions=self._partitions,
            backlog=self._backlog([offset.decode() if is_offset(offset or b"") else "0-0" for offset in offsets]),
            runs=_sum(runs),
            running=_sum(running),
            dirty=_sum(dirty),
            dead=_sum([*dead, webhooks]),
            findings=findings or 0,
            **{name: _sum(values) for name, values in zip(_COUNTERS, counted, strict=True)},
            gateway={} if counters is None else _counts(counters),
            reason="" if fits else f"Redis was set up with {int(recorded)} partitions, this service with {self._partitions}",
        )

    def _backlog(self, offsets: list[str]) -> Backlog:
        # Where nothing waits this costs nothing; elsewhere it brings one entry for its ID, since a stream's IDs cannot be had alone.
        replies = self._ask([("XRANGE", keys.log(number), f"({offset}", "+", "COUNT", 1) for number, offset in enumerate(offsets)])
        received_ms = [int(reply[0][0].split(b"-")[0]) for reply in replies if reply]
        if not received_ms:
            return Backlog()
        return Backlog(partitions=len(received_ms), oldest_s=max(0.0, round(time.time() - min(received_ms) / 1000, 1)))

    def _ask(self, commands: list[Any]) -> list[Any]:
        # None for a key of the wrong type: it is among the findings, and no reason for this service to be out of order.
        return passed_over(self._link.pipeline(commands), None)


def _sum(replies: Iterable[Any]) -> int:
    """Over the partitions; one whose key is of the wrong type counts for nothing."""
    return sum(int(reply or 0) for reply in replies)


def _counts(hash_reply: list[bytes]) -> dict[str, int]:
    return {name.decode(): int(count) for name, count in zip(hash_reply[::2], hash_reply[1::2], strict=True)}
