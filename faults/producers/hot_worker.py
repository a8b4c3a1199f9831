"""A child of `hot_run`: folds until its standard input ends, then says what it cost, as JSON.

`peak_mib`: its largest resident memory; `first_mib`: that after its first 100,000 events; `busy_s`: time in turns that had events.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from select import select

from contract.registry import load_registry
from contract.settings import load_settings
from worker.consume import Consumer

_IDLE_S = 0.005
_FIRST_EVENTS = 100_000


def main() -> None:
    """Fold, and tell."""
    settings, registry = load_settings(), load_registry()
    consumers = [Consumer(settings, registry, partition) for partition in range(settings.partitions)]
    events, busy_s, first_mib = 0, 0.0, 0.0
    while not select([sys.stdin], [], [], 0 if events else _IDLE_S)[0]:
        begin = time.perf_counter()
        folded = sum(consumer.turn(budget_s=1.0).events for consumer in consumers)
        if folded:
            busy_s += time.perf_counter() - begin
            events += folded
            first_mib = _peak_mib() if events <= _FIRST_EVENTS or not first_mib else first_mib
        else:
            time.sleep(_IDLE_S)
    told = {"events": events, "busy_s": busy_s, "first_mib": first_mib, "peak_mib": _peak_mib()}
    sys.stdout.write(json.dumps(told) + "\n")


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
