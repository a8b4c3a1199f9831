"""A child of `clocks`: folds all partitions in a loop until it is killed. Writes a line once it is about to begin, and one at each leap of
its clock."""

from __future__ import annotations

import sys
import time
from select import select

from contract.registry import load_registry
from contract.settings import load_settings
from worker import consume

_COMMIT_EVENTS = 100
_IDLE_S = 0.002
_LEAP_S = 3_600


def main() -> None:
    """Runs for ever."""
    consume.COMMIT_EVENTS = _COMMIT_EVENTS
    settings, registry = load_settings(), load_registry()
    consumers = [consume.Consumer(settings, registry, partition) for partition in range(settings.partitions)]
    _say("ready")
    ahead_s = _ahead_s()
    while True:
        if abs(_ahead_s() - ahead_s) > _LEAP_S:
            ahead_s = _ahead_s()
            _say("leapt")
        if not sum(consumer.turn(budget_s=0.02).events for consumer in consumers):
            # Not time.sleep: libfaketime makes that fail when the clock jumps meanwhile.
            select([], [], [], _IDLE_S)


def _ahead_s() -> float:
    """How far the calendar's clock is ahead of the monotonic one."""
    return time.time() - time.monotonic()


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
