"""A worker of a newer version: with each row that it writes it stores something that today's version does not know, and counts.

It folds all partitions beside others until SIGTERM, then writes row ID -> how often it wrote that row, as JSON. It says `ready` before it
begins.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections import Counter

from contract.registry import load_registry
from contract.settings import load_settings
from worker import consume
from worker.fold import Changes
from worker.store.partition import Committed, PartitionStore

FIELD = "visits"
"""What it stores with a row: how often a newer worker has written it."""

COMMIT_EVENTS = 200
_TURN_S = 0.02
_IDLE_S = 0.005


def _store_more(written: Counter[str]) -> None:
    commit = PartitionStore.commit

    def commit_more(store: PartitionStore, read_from: str, changes: Changes) -> Committed:
        for row in changes.rows.values():
            row.other = {**row.other, FIELD: row.other.get(FIELD, 0) + 1}
        done = commit(store, read_from, changes)
        if done is Committed.STORED:
            written.update(changes.rows.keys())
        return done

    PartitionStore.commit = commit_more  # type: ignore[method-assign,assignment]  # that is what this process is for


def main() -> None:
    """Runs until SIGTERM."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    written: Counter[str] = Counter()
    _store_more(written)
    consume.COMMIT_EVENTS = COMMIT_EVENTS
    settings, registry = load_settings(), load_registry()
    consumers = [consume.Consumer(settings, registry, partition) for partition in range(settings.partitions)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not over.is_set():
        if not sum(consumer.turn(over.is_set, budget_s=_TURN_S).events for consumer in consumers):
            over.wait(_IDLE_S)
    sys.stdout.write(json.dumps(written))


if __name__ == "__main__":
    main()
