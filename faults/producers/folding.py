"""A child of `clocks`: folds all partitions in a loop until it is killed. Writes a line once it is about to begin."""

from __future__ import annotations

import sys
from select import select

from contract.registry import load_registry
from contract.settings import load_settings
from worker import consume

_COMMIT_EVENTS = 100
_IDLE_S = 0.002


def main() -> None:
    """Runs for ever."""
    consume.COMMIT_EVENTS = _COMMIT_EVENTS
    settings, registry = load_settings(), load_registry()
    consumers = [consume.Consumer(settings, registry, partition) for partition in range(settings.partitions)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        if not sum(consumer.turn(budget_s=0.02).events for consumer in consumers):
            # Not time.sleep: libfaketime makes that fail when the clock jumps meanwhile.
            select([], [], [], _IDLE_S)


if __name__ == "__main__":
    main()
