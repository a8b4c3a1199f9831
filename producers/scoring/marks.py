"""Marks: which chunks and clients of a batch are finished, in Redis, so that a run that stopped goes on where it was, on any machine.

A mark is written after the counts it stands for are in the log, in the same partition: a crash in between, or a Redis that is away,
costs repeated work, and the repeated event is known by its ID. So a run can be continued for as long as IDs are remembered for certain.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

from contract import keys
from contract import run_id as run_ids
from contract.errors import RunNotContinued, StoreRefused, StoreUnavailable
from contract.link import Command, Link

if TYPE_CHECKING:
    from producers.publisher import Publisher

_PATIENCE_S = 0.2
_IMPATIENCE_S = 0.02
"""Longest wait for delivery after a chunk: usually, and after one that came to nothing. What is left is marked before the next chunk's
counts are emitted, so that a slow delivery (`fsynced`) costs no wait, or at the end."""

_LAST_PATIENCE_S = 2.0
_TIMEOUT_S = 2.0
_AT_ONCE = 500
_DIGEST_BYTES = 8
_FINISHED = "finished"


def digest_of(key: object) -> bytes:
    """8 bytes that stand for a lead's key within a client. Two of a million leads are taken for one in 4 of 10^8 cases."""
    return blake2b(str(key).encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).digest()


class Marks:
    """What is finished of one run. Used by one thread at a time."""

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
        self._patience_s = _PATIENCE_S
        self._warned = False
        self._forget()

    def _forget(self) -> None:
        self._finished: set[str] = set()
        self._chunks: set[str] = set()
        self._leads: dict[str, Counter[bytes]] = defaultdict(Counter)

    def load(self) -> None:
        """What earlier attempts have finished. Raises StoreUnavailable when Redis cannot be asked, and RunNotContinued."""
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
        self._forget()
        for name, value in fields.items():
            chunk, _, client = name.partition(":")
            if chunk == _FINISHED:
                self._finished.add(client)
            else:
                self._chunks.add(chunk)
                self._leads[client].update(value[n : n + _DIGEST_BYTES] for n in range(0, len(value), _DIGEST_BYTES))

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
        return client in self._finished

    def finished_leads(self, client: str) -> Counter[bytes]:
        """Digests of the leads that earlier attempts have finished, and how often each."""
        return self._leads[client].copy()

    def chunk(self, client: str, leads: Iterable[bytes]) -> str:
        """An ID for a chunk: the same in every attempt that is given the same leads, another for each chunk of an attempt."""
        digest = blake2b(client.encode(), digest_size=12)
        for lead in leads:
            digest.update(lead)
        first = chunk = digest.hexdigest()
        number = 1
        while chunk in self._chunks:
            number += 1
            chunk = f"{first}.{number}"
        self._chunks.add(chunk)
        return chunk

    def finish_chunk(self, client: str, chunk: str, leads: Sequence[bytes]) -> None:
        """The chunk's counts were emitted: `save` marks it."""
        self._pending[f"{chunk}:{client}"] = b"".join(leads)

    def finish_client(self, client: str) -> None:
        """The client's end was emitted: `save` marks it."""
        self._pending[f"{_FINISHED}:{client}"] = b""

    def save(self, wait_s: float | None = None) -> None:
        """Mark what is in the log by now; the rest stays for the next time. Never raises for Redis.

        `wait_s`: longest wait for delivery; a moment for None."""
        if not self._pending:
            return
        if self._publisher.flush(self._patience_s if wait_s is None else wait_s):
            self._patience_s = _IMPATIENCE_S
            return
        try:
            self._link.open()
            refusals = [reply for reply in self._link.pipeline(self._commands()) if isinstance(reply, StoreRefused)]
            if refusals:
                raise refusals[0]
        except (StoreUnavailable, StoreRefused) as error:
            self._warn(error)
            return
        self._patience_s, self._warned = _PATIENCE_S, False
        self._pending.clear()

    def _commands(self) -> list[Command]:
        # A continued run keeps its term: what its first attempt may have emitted without a mark does not get younger.
        until_ms = _now_ms() + self._memory_ms // 2 if self._until_ms is None else self._until_ms
        pairs = [("service", self._service.encode()), ("until_ms", str(until_ms).encode()), *self._pending.items()]
        commands: list[Command] = []
        for begin in range(0, len(pairs), _AT_ONCE):
            fields = [part for pair in pairs[begin : begin + _AT_ONCE] for part in pair]
            commands.append(("HSET", self._key, *fields))
        return [*commands, ("PEXPIRE", self._key, self._memory_ms)]

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            import structlog

            self._warned = True
            log = structlog.get_logger("runtally.batch")
            log.warning("finished chunks not marked: should the run stop now, they are repeated", run_id=self._run, error=str(error))

    def close(self) -> None:
        """Mark what can be marked, and close the connection."""
        self.save(_LAST_PATIENCE_S)
        self._link.close()


def _now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)
