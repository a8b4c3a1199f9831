"""A process that sends to Airtable until it is killed: `python -m faults.airtable.sender flush|read|check PACE`.

`flush` writes what is dirty, as beat has it done; `read` and `check` read as `runtally verify` and `runtally airtable check` do.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from contract.errors import RuntallyError
from contract.link import Link
from contract.registry import load_registry
from contract.settings import Settings, load_settings
from worker.flush.flusher import Pace, flush
from worker.flush.readback import Readback
from worker.flush.schema import check_base

READY = "ready"
_TURN_S = 10.0
_PAUSE_S = 0.05


def _step(kind: str, settings: Settings, link: Link, pace: Pace) -> Callable[[], object]:
    registry = load_registry(settings.metrics_file)
    steps: dict[str, Callable[[], object]] = {
        "flush": lambda: flush(settings, link, registry, lambda: False, _TURN_S, pace=pace),
        "read": lambda: Readback(settings, 5.0, pace=pace).job_rows(),
        "check": lambda: check_base(settings, link, registry, pace=pace),
    }
    return steps[kind]


def main(kind: str, pace: str) -> None:
    """Send again and again; what is refused or away is tried anew, as by the next beat."""
    settings = load_settings()
    link = Link(settings.redis_url.get_secret_value(), name=f"fault-{kind}")
    step = _step(kind, settings, link, Pace(**json.loads(pace)))
    _say(READY)
    while True:
        try:
            link.open()
            step()
        except RuntallyError as error:
            _say(f"{kind}: {error}")
        time.sleep(_PAUSE_S)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
