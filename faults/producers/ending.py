"""A child of `exits`: emits, and ends in the way its first argument names. Its second is the folder of the ledger.

It writes a line once it has emitted some. Ways that are signals come from outside: until then it goes on emitting.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from select import select
from typing import NoReturn

import producers
from faults.producers.told import Told

EVENTS = 300
_PACE_S = 0.0003


def main() -> None:
    """Ends as told."""
    way, told = sys.argv[1], Told(Path(sys.argv[2]))
    # A shell that starts the suite in the background has its children ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if way == "sigterm_first_in_thread":
        thread = threading.Thread(target=_emit, args=(told, EVENTS))
        thread.start()
        thread.join()
    else:
        _emit(told, EVENTS)
    if way in ("os._exit", "sigkill"):
        # From here on the sender has its imports and its connection: what is measured is the linger window.
        producers.flush(20)
        _emit(told, EVENTS)
    sys.stdout.write("emitting\n")
    sys.stdout.flush()
    if way.startswith("sig"):
        _emit_on(told)
    if way == "sys.exit":
        sys.exit(3)
    if way == "os._exit":
        os._exit(4)
    if way == "exception":
        raise RuntimeError("the work failed")


def _emit(told: Told, events: int) -> None:
    for _ in range(events):
        told.emit()


def _emit_on(told: Told) -> NoReturn:
    while True:
        told.emit()
        # Not time.sleep: libfaketime makes that fail when the clock jumps meanwhile.
        select([], [], [], _PACE_S)


if __name__ == "__main__":
    main()
