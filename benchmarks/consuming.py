"""A child of `kills`: folds all partitions in a loop until it is killed. Writes a line once it is about to begin.

Argument: most events of a commit. Few make many commits, so that kills land on every step of one.
"""

from __future__ import annotations

import sys
import time

from contract.registry import load_registry
from contract.settings import load_settings
from worker import consume

_IDLE_S = 0.002


def main() -> None:
    """Runs for ever."""
    consume.COMMIT_EVENTS = int(sys.argv[1])
    settings = load_settings()
    registry = load_registry()
    consumers = [consume.Consumer(settings, registry, partition) for partition in range(settings.partitions)]
    print("ready", flush=True)
    while True:
        if not sum(consumer.turn(budget_s=0.02).events for consumer in consumers):
            time.sleep(_IDLE_S)


if __name__ == "__main__":
    main()
