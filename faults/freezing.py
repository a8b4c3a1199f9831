"""A worker of the fault suite: folds all partitions until it is ended, and freezes itself beside its commits.

Arguments: its lease in seconds, the seed, and how often it stops itself with SIGSTOP, at most: the lease in hand, just before a commit is
sent or just after one was applied, every twentieth commit or so. It says `ready` before it begins; its log goes to stderr.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time

import structlog

from contract.errors import RuntallyError
from contract.registry import load_registry
from contract.settings import load_settings
from worker import consume
from worker.fold import Changes
from worker.store.partition import Committed, PartitionStore

COMMIT_EVENTS = 200
_EVERY = 20
_IDLE_S = 0.005


def _freeze_now_and_then(rng: random.Random, most: int) -> None:
    commit = PartitionStore.commit
    left = most

    def commit_and_freeze(store: PartitionStore, read_from: str, changes: Changes) -> Committed:
        nonlocal left
        moment = rng.choice(["before", "before", "after"]) if left and rng.random() < 1 / _EVERY else ""
        left -= bool(moment)
        if moment == "before":
            os.kill(os.getpid(), signal.SIGSTOP)
        done = commit(store, read_from, changes)
        if moment == "after":
            os.kill(os.getpid(), signal.SIGSTOP)
        return done

    PartitionStore.commit = commit_and_freeze  # type: ignore[method-assign,assignment]  # that is what this process is for


def main() -> None:
    """Runs until it is ended."""
    lease_s, seed, most = float(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    consume.LEASE_S, consume.COMMIT_EVENTS = lease_s, COMMIT_EVENTS
    if most:
        _freeze_now_and_then(random.Random(seed), most)  # noqa: S311  # moments, no secret
    settings, registry = load_settings(), load_registry()
    consumers = [consume.Consumer(settings, registry, partition) for partition in range(settings.partitions)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        folded = 0
        for consumer in consumers:
            try:
                folded += consumer.turn(budget_s=0.05).events
            except RuntallyError as error:
                structlog.get_logger().warning("turn put off", error=str(error))
        if not folded:
            time.sleep(_IDLE_S)


if __name__ == "__main__":
    main()
