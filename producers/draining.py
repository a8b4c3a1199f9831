"""Send what dead publishers of this host left in the spool, without being a publisher that emits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from contract.errors import StoreRefused
from producers import exits
from producers.publish.sender import LOG_FULL, Sender
from producers.publisher import Publisher

if TYPE_CHECKING:
    from contract.settings import Settings

_LOG_FULL_S = 0.2


def drain(settings: Settings, *, any_target: bool = False) -> Iterator[int]:
    """Adopt and send until nothing is left that can be adopted; yields after each round trip how many events are delivered so far.

    `any_target`: also what was meant for another Redis URL. Waits while the log is over its bound. Raises StoreUnavailable,
    StoreRefused, LayoutMismatch; what is not delivered then stays in the spool. May run beside publishers and other drains. SIGTERM ends
    the process after the round trip."""
    publisher = Publisher(settings)
    outbox = publisher.life.outbox
    sender = Sender(settings, publisher.buffer, outbox)
    try:
        while True:
            try:
                # The handler of SIGTERM closes the outbox: it would wait for ever for the lock that it found in this thread's hands.
                with exits.undisturbed():
                    going_on = sender.deliver_adopted(any_target=any_target)
            except StoreRefused as error:
                if error.code != LOG_FULL:
                    raise
                going_on = True
                threading.Event().wait(_LOG_FULL_S)
            yield outbox.counts["adopted"]
            if not going_on:
                return
    finally:
        sender.close()
        with exits.undisturbed(), outbox.lock:
            outbox.close()
