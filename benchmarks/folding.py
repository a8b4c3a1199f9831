"""A child of `fold`: folds what the log holds in one process and one thread, and says what it cost, as JSON.

Its argument is the server's process ID, for that side's CPU time.
"""

from __future__ import annotations

import json
import sys
import time

from benchmarks.cpu import cpu_s
from contract.registry import load_registry
from contract.settings import load_settings
from worker.consume import Consumer

_BUDGET_S = 120.0


def main() -> None:
    """Fold every partition until it is drained; exit code 1 when that takes longer than two minutes."""
    server = int(sys.argv[1])
    settings = load_settings()
    registry = load_registry()
    consumers = [Consumer(settings, registry, partition) for partition in range(settings.partitions)]
    events = commits = 0
    server_s, own_s, begin = cpu_s(server), time.process_time(), time.perf_counter()
    for consumer in consumers:
        done = consumer.turn(budget_s=_BUDGET_S)
        events += done.events
        commits += done.commits
        if not done.drained:
            sys.exit(f"the log was not drained in {_BUDGET_S:.0f} s ({events:,} events were): the machine was busy with something else")
    took_s = time.perf_counter() - begin
    found = {"events": events, "commits": commits, "took_s": took_s}
    print(json.dumps(found | {"worker_cpu_s": time.process_time() - own_s, "server_cpu_s": cpu_s(server) - server_s}))


if __name__ == "__main__":
    main()
