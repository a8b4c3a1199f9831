"""The intake: appends what many requests bring to the log in few round trips, and answers each when the log has it.

One thread with a connection of its own. Events from here are known by (source, id), not by a sequence: sending one again is
harmless, so what has an unknown outcome is refused, and the sender repeats it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import structlog

from contract import keys
from contract.errors import RuntallyError, StoreRefused, StoreUnavailable
from contract.events import join_batch
from contract.layout import claim_layout
from contract.link import Command, Link
from producers.publish.log_bound import LogBound

if TYPE_CHECKING:
    from contract.settings import Settings

LOG_FULL = "LOGFULL"
"""Code of the refusal that is our own: the log is over its bound, because workers lag."""

INTAKE_FULL = "INTAKEFULL"
"""Code of the refusal that is our own: more waits to be appended than the intake keeps in memory."""

_MAX_WAITING_BYTES = 67_108_864
_MAX_ROUND_BYTES = 4_194_304
_CONFIRM_WAIT_MS = 2_000
_TIMEOUT_S = 5.0


_log: Any = structlog.get_logger("runtally.gateway")


class _Unconfirmed(StoreUnavailable):
    """Appended, and not durable in time."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """Encoded events, usually one, else with commas between them, and the run that decides their partition."""

    run: str
    body: bytes
    events: int = 1


class _Order(NamedTuple):
    """What one request waits for."""

    entries: Sequence[Entry]
    done: asyncio.Future[None]


class Intake:
    """Made and started in the event loop that it answers to; a forked child needs one of its own."""

    def __init__(self, settings: Settings) -> None:
        """Connects to nothing yet."""
        self._settings = settings
        self._link = Link(settings.redis_url.get_secret_value(), name="runtally-gateway", timeout_s=_TIMEOUT_S)
        self._bound = LogBound(self._link, settings.log_max_entries)
        self._orders: deque[_Order] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._rung = False
        self._ending = False
        self._waiting_bytes = 0
        self._epoch = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin. To be called in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="runtally-intake", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Append what waits, then end."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._ending = True
            self._bell.put(None)
            await asyncio.to_thread(thread.join)

    async def append(self, entries: Sequence[Entry]) -> None:
        """Return once the log holds all of them, at the delivery level of the settings.

        Raises StoreUnavailable and StoreRefused: then some may stand in the log; to send all again is safe."""
        assert self._loop is not None, "the intake is not started"
        size = sum([len(entry.body) for entry in entries])
        if self._waiting_bytes + size > _MAX_WAITING_BYTES:
            raise StoreRefused(f"{INTAKE_FULL} {self._waiting_bytes:,} bytes wait to be appended already")
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting_bytes += size
        try:
            self._orders.append(_Order(entries, done))
            if not self._rung:
                # Waking a thread costs more than an append: once for all that this turn of the event loop brings.
                self._rung = True
                self._loop.call_soon(self._bell.put, None)
            await done
        finally:
            self._waiting_bytes -= size

    def _run(self) -> None:
        while not self._ending:
            self._bell.get()
            # Lowered before looking: an order put from now on rings again.
            self._rung = False
            while orders := self._take():
                self._settle(orders, self._append(orders))
        self._link.close()

    def _take(self) -> list[_Order]:
        """What waits, as far as one round trip carries it."""
        orders: list[_Order] = []
        size = 0
        while self._orders and size < _MAX_ROUND_BYTES:
            order = self._orders.popleft()
            orders.append(order)
            size += sum([len(entry.body) for entry in order.entries])
        return orders

    def _append(self, orders: Sequence[_Order]) -> dict[int, RuntallyError] | RuntallyError:
        """What failed: partitions with their refusals, or everything."""
        by_partition: defaultdict[int, list[Entry]] = defaultdict(list)
        for order in orders:
            for entry in order.entries:
                by_partition[keys.partition_of(entry.run, self._settings.partitions)].append(entry)
        for last in (False, True):
            try:
                return self._round(by_partition)
            except StoreUnavailable as error:
                # Most likely the connection had ended while nobody used it. Sending again is harmless (see above), waiting is not.
                if last or isinstance(error, _Unconfirmed):
                    return error
            except RuntallyError as error:
                return error
            except Exception as error:  # noqa: BLE001  # see below
                # Whoever waits must be told, and the next order may fare better.
                _log.exception("the intake failed")
                return StoreUnavailable(f"the intake failed: {type(error).__name__}")
        raise AssertionError

    def _round(self, by_partition: dict[int, list[Entry]]) -> dict[int, RuntallyError]:
        """Raises StoreUnavailable, StoreRefused, LayoutMismatch."""
        if self._link.open() != self._epoch:
            claim_layout(self._link, self._settings.partitions)
            self._epoch = self._link.epoch
        self._bound.look()
        failed: dict[int, RuntallyError] = {
            partition: StoreRefused(f"{LOG_FULL} the log is over its bound, because it is not folded") for partition in self._bound.full
        }
        batches = [
            (partition, batch) for partition, bodies in by_partition.items() if partition not in failed for batch in self._batches(bodies)
        ]
        if batches:
            failed |= self._write(batches)
            self._confirm()
        return failed

    def _write(self, batches: Sequence[tuple[int, bytes]]) -> dict[int, RuntallyError]:
        partitions = sorted({partition for partition, _ in batches})
        appends: list[Command] = [("XADD", keys.log(partition), "*", "batch", batch) for partition, batch in batches]
        lengths: list[Command] = [("XLEN", keys.log(partition)) for partition in partitions]
        bell: list[str | int] = [part for partition in partitions for part in (0, partition)]
        replies = self._link.pipeline([*appends, *lengths, ("ZADD", keys.BELL, *bell)])
        failed: dict[int, RuntallyError] = {
            partition: reply for (partition, _), reply in zip(batches, replies, strict=False) if isinstance(reply, StoreRefused)
        }
        for partition, length in zip(partitions, replies[len(batches) :], strict=False):
            self._bound.learn(partition, length)
        return failed

    def _confirm(self) -> None:
        if self._settings.delivery == "fsynced":
            local, _ = self._link.call("WAITAOF", 1, 0, _CONFIRM_WAIT_MS)
            enough = local >= 1
        elif self._settings.delivery == "replicated":
            enough = self._link.call("WAIT", self._settings.replicas, _CONFIRM_WAIT_MS) >= self._settings.replicas
        else:
            return
        if not enough:
            raise _Unconfirmed(f"Redis did not confirm the level {self._settings.delivery} within {_CONFIRM_WAIT_MS} ms")

    def _batches(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        """Log entries of at most `batch_events` and about `batch_bytes`."""
        batch: list[bytes] = []
        size = events = 0
        for entry in entries:
            if batch and (events + entry.events > self._settings.batch_events or size + len(entry.body) > self._settings.batch_bytes):
                yield join_batch(batch)
                batch, size, events = [], 0, 0
            batch.append(entry.body)
            size += len(entry.body)
            events += entry.events
        if batch:
            yield join_batch(batch)

    def _settle(self, orders: Sequence[_Order], failed: dict[int, RuntallyError] | RuntallyError) -> None:
        """Tell the event loop, once for all: waking it costs more than an append."""
        answers = [(order.done, self._outcome(order, failed)) for order in orders]
        assert self._loop is not None
        self._loop.call_soon_threadsafe(_answer, answers)

    def _outcome(self, order: _Order, failed: dict[int, RuntallyError] | RuntallyError) -> RuntallyError | None:
        if isinstance(failed, RuntallyError):
            return failed
        if not failed:
            return None
        partitions = (keys.partition_of(entry.run, self._settings.partitions) for entry in order.entries)
        return next((failed[partition] for partition in partitions if partition in failed), None)


def _answer(answers: Sequence[tuple[asyncio.Future[None], RuntallyError | None]]) -> None:
    for done, error in answers:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
