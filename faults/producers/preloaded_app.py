"""The WSGI app that `forks` has gunicorn preload: the master emits while it loads, each request emits in a worker.

Environment: FAULT_LEDGER, the folder of the ledger.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import producers
from faults.producers.told import Told

EVENTS_A_REQUEST = 5

_told = Told(Path(os.environ["FAULT_LEDGER"]))
for _ in range(EVENTS_A_REQUEST):
    _told.emit()
# So that the master has its sender, and its connection, when it forks.
producers.flush(20)


def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Emit, and answer with the process ID."""
    for _ in range(EVENTS_A_REQUEST):
        _told.emit()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]
