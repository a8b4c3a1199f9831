"""A flusher that freezes itself (SIGSTOP) now and then, the request in hand: just before it is sent, or just after it was answered.

Arguments: the pace, and a file: it freezes only while that is there, about each tenth request. Otherwise it is `sender flush`.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.airtable import sender
from worker.flush.calls import Calls

_EVERY = 10


def _freeze_now_and_then(switch: Path) -> None:
    once = Calls._once
    rng = random.Random(os.getpid())  # noqa: S311  # moments, no secret

    def once_and_freeze(calls: Calls, request: Callable[[], Any]) -> Any:
        moment = rng.choice(["before", "after"]) if rng.random() < 1 / _EVERY and switch.exists() else ""

        def freezing() -> Any:
            # Here nothing more is asked before the request is sent: the lease was looked at.
            if moment == "before":
                os.kill(os.getpid(), signal.SIGSTOP)
            answer = request()
            if moment == "after":
                os.kill(os.getpid(), signal.SIGSTOP)
            return answer

        return once(calls, freezing)

    Calls._once = once_and_freeze  # type: ignore[method-assign,assignment]  # that is what this process is for


if __name__ == "__main__":
    _freeze_now_and_then(Path(sys.argv[2]))
    sender.main("flush", sys.argv[1])
