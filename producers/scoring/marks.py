"""Marks: which chunks and clients of a batch are finished, in Redis, so that a run that stopped goes on where it was, on any machine.

An intent is kept before a chunk's counts are told, its mark after they are in the log, both in the log's partition: a crash in between, or
a Redis that is away, costs repeated work, and the repeated event is known by its ID. So a run can be continued for as long as IDs are
remembered for certain.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from contract import keys
from contract import run_id as run_ids
from contract.errors import RunNotContinued, StoreRefused, StoreUnavailable
from contract.link import Command, Link
from producers.alone import is_alone
from producers.scoring.standing import Standing, client_field, intent_field, mark_field

if TYPE_CHECKING:
    from producers.publisher import Publisher

_PATIENCE_S = 0.2
_IMPATIENCE_S = 0.02
"""Longest wait for delivery after a chunk: usually, and after one that came to nothing. What is left is marked before the next chunk's
counts are emitted, so that a slow delivery (`fsynced`) costs no wait, or at the end."""

_LAST_PATIENCE_S = 2.0
_TIMEOUT_S = 2.0
_AT_ONCE = 500


class Marks:
    """What is finished of one run. What is cancelled while it counts a chunk goes on in its thread, and `close` waits for it."""

    def __init__(self, publisher: Publisher, run: str) -> None:
        """Asks nobody yet."""
        settings = publisher.settings
        self._publisher = publisher
        self._run = run
        self._key = keys.marks(keys.partition_of(run, settings.partitions), run)
        self._link = Link(settings.redis_url.get_secret_value(), name="runtally-marks", timeout_s=_TIMEOUT_S)
        self._service = settings.service
        self._memory_ms = settings.id_memory_s * 1000
        self._until_ms: int | None = None
        self._pending: dict[str, bytes] = {}
        self._intended: dict[str, bytes] = {}
        self._settled: set[str] = set()
        self._patience_s = _PATIENCE_S
        self._warned = False
        self._standing = Standing({})
        self._turn = threading.RLock()

    def load(self) -> None:
        """What earlier attempts have finished. Raises StoreUnavailable when Redis cannot be asked, and RunNotContinued."""
        if is_alone():
            return
        try:
            self._link.open()
            reply = self._link.call("HGETALL", self._key)
        except (StoreUnavailable, StoreRefused) as error:
            self._link.close()
            raise StoreUnavailable(
                f"run {self._run} is not continued, because Redis cannot be asked what of it is finished: {error}"
            ) from error
        fields = {name.decode(): value for name, value in zip(reply[::2], reply[1::2], strict=True)}
        self._check(fields.pop("service", None), fields.pop("until_ms", None))
        self._standing = Standing(fields)

    def _check(self, service: bytes | None, until_ms: bytes | None) -> None:
        """An event of an earlier attempt may be repeated: its ID must be remembered still, and have the same source."""
        if service is not None and service.decode() != self._service:
            raise RunNotContinued(
                f"run {self._run} belongs to the service {service.decode()!r}, this is {self._service!r} (RUNTALLY_SERVICE)"
            )
        began = run_ids.require(self._run).started_at
        assert began is not None
        # The first half of the memory to be continued in, the second to come to the chunk that may be a repeat.
        self._until_ms = int(began.timestamp() * 1000) + self._memory_ms // 2 if until_ms is None else int(until_ms)
        if _now_ms() > self._until_ms:
            until = datetime.fromtimestamp(self._until_ms / 1000, UTC)
            raise RunNotContinued(f"run {self._run} could be continued until {until:%Y-%m-%d %H:%M} UTC: begin a new run")

    def is_finished(self, client: str) -> bool:
        """Whether an earlier attempt has finished this client."""
        return client in self._standing.finished

    def finished_leads(self, client: str) -> Counter[bytes]:
        """Digests of the leads that earlier attempts have finished, and how often each."""
        return self._standing.finished_leads(client)

    def intents(self, client: str) -> dict[str, Counter[bytes]]:
        """Chunks that earlier attempts may have counted, by ID: digests of their leads, and how often each."""
        return self._standing.intents(client)

    def chunk(self, client: str, leads: Sequence[bytes]) -> str:
        """An ID for a new chunk: the same in every attempt that is given the same leads, another for each chunk of an attempt."""
        return self._standing.chunk(client, leads)

    def count(self, client: str, chunk: str, leads: Sequence[bytes], tell: Callable[[], bool]) -> bool:
        """Emit a chunk's counts by `tell`, with the intent before it and, if they were taken, the mark behind it. Whether they were."""
        with self._turn:
            self.intend(client, chunk, leads)
            taken = tell()
            if taken:
                self.finish_chunk(client, chunk, leads)
            self.save()
        return taken

    def intend(self, client: str, chunk: str, leads: Sequence[bytes]) -> None:
        """The chunk's counts are about to be emitted: keep which leads they are of. Also marks what is in the log by now.

        Never raises for Redis. While it is away, nothing is kept and nobody waits for it: what could not be kept is tried again with the
        next, unless its mark comes first."""
        if chunk not in self.intents(client):
            self._intended[intent_field(chunk, client)] = b"".join(leads)
        undelivered = self._publisher.flush(0.0)
        # It was away, and nothing was delivered since: each try might cost the whole timeout.
        if not (self._warned and undelivered):
            self._write({} if undelivered else self._pending)

    def finish_chunk(self, client: str, chunk: str, leads: Sequence[bytes]) -> None:
        """The chunk's counts were emitted: `save` marks it."""
        self._pending[mark_field(chunk, client)] = self._standing.mark(chunk, client, leads)
        if self._standing.is_whole(chunk, client, leads):
            self._settled.add(intent_field(chunk, client))

    def finish_client(self, client: str) -> None:
        """The client's end was emitted: `save` marks it."""
        self._pending[client_field(client)] = b""

    def save(self, wait_s: float | None = None) -> None:
        """Mark what is in the log by now; the rest stays for the next time. Never raises for Redis.

        `wait_s`: longest wait for delivery; a moment for None."""
        with self._turn:
            if not self._pending:
                return
            if self._publisher.flush(self._patience_s if wait_s is None else wait_s):
                self._patience_s = _IMPATIENCE_S
            elif self._write(self._pending):
                self._patience_s = _PATIENCE_S

    def _write(self, marks: dict[str, bytes]) -> bool:
        """Store intents and these marks, if there are any. Whether Redis took them."""
        settled = self._settled if marks else set()
        stored = {**{name: value for name, value in self._intended.items() if name not in settled}, **marks}
        if not stored or is_alone():
            return True
        try:
            self._link.open()
            refusals = [reply for reply in self._link.pipeline(self._commands(stored, settled)) if isinstance(reply, StoreRefused)]
            if refusals:
                raise refusals[0]
        except (StoreUnavailable, StoreRefused) as error:
            self._warn(error)
            return False
        self._warned = False
        self._intended.clear()
        if marks:
            self._pending.clear()
            self._settled.clear()
        return True

    def _commands(self, stored: dict[str, bytes], settled: set[str]) -> list[Command]:
        # A continued run keeps its term: what its first attempt may have emitted without a mark does not get younger.
        until_ms = _now_ms() + self._memory_ms // 2 if self._until_ms is None else self._until_ms
        pairs = [("service", self._service.encode()), ("until_ms", str(until_ms).encode()), *stored.items()]
        commands: list[Command] = []
        for begin in range(0, len(pairs), _AT_ONCE):
            fields = [part for pair in pairs[begin : begin + _AT_ONCE] for part in pair]
            commands.append(("HSET", self._key, *fields))
        # Behind the marks: dying in between leaves an intent of which nothing is left.
        if settled:
            commands.append(("HDEL", self._key, *settled))
        return [*commands, ("PEXPIRE", self._key, self._memory_ms)]

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            import structlog

            self._warned = True
            log = structlog.get_logger("runtally.batch")
            log.warning("chunks not marked: should the run stop now, they are repeated", run_id=self._run, error=str(error))

    def close(self) -> None:
        """Mark what can be marked, and close the connection."""
        with self._turn:
            self.save(_LAST_PATIENCE_S)
            self._link.close()


def _now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)
