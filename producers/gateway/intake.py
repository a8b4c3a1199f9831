"""The intake: appends what many requests bring to the log in few round trips, and answers each when the log has it.

One thread with a connection of its own. Events from here are known by (source, id, subject), not by a sequence: sending one again is
harmless, so what has an unknown outcome is refused, and the sender repeats it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from contract import keys
from contract.errors import RuntallyError, StoreRefused, StoreUnavailable
from producers.gateway.entry import Entry, Outdated
from producers.gateway.log_writer import LogWriter, Unconfirmed, Written

if TYPE_CHECKING:
    from contract.settings import Settings

INTAKE_FULL = "INTAKEFULL"
"""Code of the refusal that is our own: more waits to be appended than the intake keeps in memory."""

_MAX_WAITING_BYTES = 67_108_864
_MAX_ROUND_BYTES = 4_194_304


_log: Any = structlog.get_logger("runtally.gateway")


class _Order(NamedTuple):
    """What one request waits for."""

    entries: Sequence[Entry]
    done: asyncio.Future[Outdated]


class Intake:
    """Made and started in the event loop that it answers to; a forked child needs one of its own."""

    def __init__(self, settings: Settings) -> None:
        """Connects to nothing yet."""
        self._settings = settings
        self._writer = LogWriter(settings)
        self._orders: deque[_Order] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._rung = False
        self._ending = False
        self._waiting_bytes = 0
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

    async def append(self, entries: Sequence[Entry]) -> Outdated:
        """Return once the log holds them, at the delivery level of the settings; those that were left out, for their totals.

        Raises StoreUnavailable and StoreRefused: then some may stand in the log; to send all again is safe."""
        assert self._loop is not None, "the intake is not started"
        size = sum([len(entry.body) for entry in entries])
        if self._waiting_bytes + size > _MAX_WAITING_BYTES:
            raise StoreRefused(f"{INTAKE_FULL} {self._waiting_bytes:,} bytes wait to be appended already")
        done: asyncio.Future[Outdated] = self._loop.create_future()
        self._waiting_bytes += size
        try:
            self._orders.append(_Order(entries, done))
            if not self._rung:
                # Waking a thread costs more than an append: once for all that this turn of the event loop brings.
                self._rung = True
                self._loop.call_soon(self._bell.put, None)
            return await done
        finally:
            self._waiting_bytes -= size

    def _run(self) -> None:
        while not self._ending:
            self._bell.get()
            # Lowered before looking: an order put from now on rings again.
            self._rung = False
            while orders := self._take():
                self._settle(orders, self._append(orders))
        self._writer.close()

    def _take(self) -> list[_Order]:
        """What waits, as far as one round trip carries it."""
        orders: list[_Order] = []
        size = 0
        while self._orders and size < _MAX_ROUND_BYTES:
            order = self._orders.popleft()
            orders.append(order)
            size += sum([len(entry.body) for entry in order.entries])
        return orders

    def _append(self, orders: Sequence[_Order]) -> Written | RuntallyError:
        """What is not in the log, or why nothing may be."""
        by_partition: defaultdict[int, list[Entry]] = defaultdict(list)
        for order in orders:
            for entry in order.entries:
                by_partition[keys.partition_of(entry.run, self._settings.partitions)].append(entry)
        for last in (False, True):
            try:
                return self._writer.write(by_partition)
            except StoreUnavailable as error:
                # Most likely the connection had ended while nobody used it. Sending again is harmless (see above), waiting is not.
                if last or isinstance(error, Unconfirmed):
                    return error
            except RuntallyError as error:
                return error
            except Exception as error:  # noqa: BLE001  # see below
                # Whoever waits must be told, and the next order may fare better.
                _log.exception("the intake failed")
                return StoreUnavailable(f"the intake failed: {type(error).__name__}")
        raise AssertionError

    def _settle(self, orders: Sequence[_Order], written: Written | RuntallyError) -> None:
        """Tell the event loop, once for all: waking it costs more than an append."""
        answers = [(order.done, self._outcome(order, written)) for order in orders]
        assert self._loop is not None
        self._loop.call_soon_threadsafe(_answer, answers)

    def _outcome(self, order: _Order, written: Written | RuntallyError) -> Outdated | RuntallyError:
        if isinstance(written, RuntallyError):
            return written
        failed, outdated = written
        if failed:
            partitions = (keys.partition_of(entry.run, self._settings.partitions) for entry in order.entries)
            refused = next((failed[partition] for partition in partitions if partition in failed), None)
            if refused is not None:
                return refused
        return {entry: outdated[entry] for entry in order.entries if entry in outdated} if outdated else outdated


def _answer(answers: Sequence[tuple[asyncio.Future[Outdated], Outdated | RuntallyError]]) -> None:
    for done, outcome in answers:
        if done.done():
            continue
        if isinstance(outcome, RuntallyError):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)
