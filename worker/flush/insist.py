"""What Redis has to be told whatever happens: said again, on new connections, until it has answered."""

from __future__ import annotations

import time
from collections.abc import Callable

from contract.errors import StoreRefused, StoreUnavailable
from contract.link import Link

_PAUSE_S = 0.5

_AFTER_STOP_S = 10.0
"""How long it is still tried once this process is to stop: shorter than supervisors wait before they kill."""


def insist(link: Link, stop: Callable[[], bool], say: Callable[[], None]) -> bool:
    """Call `say` until Redis has answered it, however long that takes. False when it had not 10 s after this process was to stop.

    `say` is to be safe to repeat. A refusal is no answer either: a server that is loading, or a replica now, is not the one to tell.
    """
    gives_up_s: float | None = None
    while True:
        try:
            link.open()
            say()
        except (StoreUnavailable, StoreRefused):
            link.close()
        else:
            return True
        if gives_up_s is None and stop():
            gives_up_s = time.monotonic() + _AFTER_STOP_S
        if gives_up_s is not None and time.monotonic() >= gives_up_s:
            return False
        time.sleep(_PAUSE_S)
