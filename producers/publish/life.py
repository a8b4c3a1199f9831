"""One life of a publisher: a nonce, an outbox and two threads. It ends at `close`, and in a forked child another begins.

A life never goes on after its folder in the spool was let go: an adopter may be sending from it, and newer sequences would
overtake.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty
from secrets import token_hex
from typing import TYPE_CHECKING

from producers import exits
from producers.publish.outbox import Outbox
from producers.publish.spooler import Spooler, Ticket
from producers.spool.errors import SpoolRefused

if TYPE_CHECKING:
    from contract.settings import Settings
    from producers.publish.buffer import Buffer
    from producers.publish.event import Buffered
    from producers.publish.sender import Sender

_IMPORTS_S = 10.0
_TURN_S = 3.0
_LOCK_S = 2.0
_JOIN_S = 1.0
_LOOK_S = 0.5


class Life:
    """Opens nothing and starts no thread until there is something to do."""

    def __init__(self, settings: Settings, buffer: Buffer) -> None:
        """`buffer`: what it sends. It outlives this life."""
        self.nonce = token_hex(8)
        self.outbox = Outbox(settings, self.nonce)
        self.sending = False
        """Whether the sender's thread was started. Read without a lock by every emit."""
        self._settings = settings
        self._buffer = buffer
        self._spooler = Spooler(buffer, self.outbox)
        self._sender: Sender | None = None
        self._stopping = False
        self._lock = threading.RLock()
        self._threads: dict[str, threading.Thread] = {}
        self._imported = threading.Event()
        self._held: Sender | None = None
        self._forking = False

    def start(self) -> bool:
        """Start the sender's thread unless it runs. False when the interpreter, shutting down, starts no threads any more."""
        self.sending = self._start("runtally-publisher", self._send)
        return self.sending

    def keep(self, event: Buffered) -> bool:
        """Wait until this event, which is in the buffer, is on disk. False when it cannot be sent, the spool refuses, or this life
        ends meanwhile (then nobody knows)."""
        ticket = Ticket(event)
        self._spooler.tickets.append(ticket)
        while True:
            running = self._start("runtally-spooler", self._spooler.run)
            self._spooler.ring()
            try:
                return ticket.answer.get(timeout=_LOOK_S if running else 0)
            except Empty:
                if self._stopping:
                    return False
                if not running:
                    self._spooler.serve()

    def relieve(self) -> None:
        """The buffer fills: let the spooler take from it."""
        self._start("runtally-spooler", self._spooler.run)
        self._spooler.ring()

    def end(self) -> int:
        """Store what is not delivered, end the threads and let go of the spool; how many events are neither delivered nor stored."""
        self._stopping = True
        self._spooler.stop()
        sender, thread = self._sender, self._threads.get("runtally-publisher")
        if sender is not None:
            sender.stopping = True
        self._buffer.wake.put(None)
        with exits.undisturbed():
            lost = self._store_rest()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_S)
        if thread is None or not thread.is_alive():
            self._let_go()
        return lost

    def settle(self) -> None:
        """Before a fork: wait until the sender's imports are done (a child forked in their midst could never import them) and nobody
        is opening files or locks of the spool, which the child would share without knowing."""
        if self._threads.get("runtally-publisher") is not None:
            self._imported.wait(_IMPORTS_S)
        self._held = self._sender if self._sender is not None and self._sender.underway.acquire(timeout=_TURN_S) else None
        self._forking = self.outbox.lock.acquire(timeout=_LOCK_S)

    def resume(self) -> None:
        """After a fork, in the parent: go on."""
        held, self._held = self._held, None
        if held is not None:
            held.underway.release()
        if self._forking:
            self._forking = False
            self.outbox.lock.release()

    def forget(self) -> None:
        """After a fork, in the child: let go of what is the parent's."""
        self.outbox.forget()

    def _start(self, name: str, target: Callable[[], None]) -> bool:
        thread = self._threads.get(name)
        if thread is not None and thread.is_alive():
            return True
        with self._lock:
            thread = self._threads.get(name)
            if thread is not None and thread.is_alive():
                return True
            if self._stopping:
                return False
            thread = threading.Thread(target=target, name=name, daemon=True)
            # Entered before it starts: a thread that dies at once takes itself out.
            self._threads[name] = thread
            try:
                thread.start()
            except RuntimeError:
                del self._threads[name]
                return False  # the interpreter is shutting down; the drain at exit stores what is left
        exits.arm()
        return True

    def _send(self) -> None:
        try:
            from contract.link import preload
            from producers.publish.sender import Sender

            if self._sender is None:
                self._sender = Sender(self._settings, self._buffer, self.outbox)
            preload()
            self._imported.set()
            if not self._stopping:
                self._sender.run()
        except BaseException:
            # A fault of ours. The next event starts another thread, which goes on with what this one held.
            self._threads.pop("runtally-publisher", None)
            self.sending = False
            raise
        self._let_go()

    def _store_rest(self) -> int:
        outbox, buffer = self.outbox, self._buffer
        if not outbox.lock.acquire(timeout=_LOCK_S):
            return len(buffer) + outbox.unstored_events  # the disk hangs
        try:
            outbox.collect(buffer, len(buffer))
            outbox.store(sync=True)
            lost = 0
        except SpoolRefused as error:
            lost = outbox.unstored_events
            buffer.drop(error.reason, lost)
        finally:
            outbox.lock.release()
        for ticket in list(self._spooler.tickets):
            ticket.answer.put(not lost and not any(event is ticket.event for event in outbox.refused))
        return lost

    def _let_go(self) -> None:
        with self.outbox.lock:
            self.outbox.close()
