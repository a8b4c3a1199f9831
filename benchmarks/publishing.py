"""A child of `publish`: sends events and waits for their confirmation; JSON with seconds and CPU time.

Arguments: `appended`, `fsynced` (a publisher with that delivery) or `xadd` (redis-py, one event an entry), how many events.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from datetime import UTC, datetime
from typing import Any

from benchmarks.workload import metrics, subjects
from contract.events import EventType, encode_event

_PIPELINED = 500


def _publish(delivery: str, number: int) -> None:
    from contract.settings import load_settings
    from producers.publisher import Publisher

    publisher = Publisher(load_settings(delivery=delivery))
    choices = subjects(40, 5)
    rng = random.Random(1)  # noqa: S311  # a workload, no secret
    ready = [metrics(rng) for _ in range(1_000)]
    enough = publisher.settings.buffer_events // 2
    for n in range(number):
        publisher.put(EventType.METRICS_UPDATED, choices[n % len(choices)], {"metrics": dict(ready[n % 1_000])})
        if n % 100 == 0:
            while publisher.pending > enough:
                time.sleep(0.002)
    undelivered = publisher.flush(60)
    if undelivered or publisher.counters["published"] != number:
        sys.exit(f"{undelivered} events not delivered: {publisher.counters}")


def _pipelined(number: int) -> None:
    import redis

    client: Any = redis.Redis.from_url(os.environ["RUNTALLY_REDIS_URL"])
    choices = subjects(40, 5)
    rng = random.Random(1)  # noqa: S311
    ready = [metrics(rng) for _ in range(1_000)]
    for begin in range(0, number, _PIPELINED):
        pipeline = client.pipeline(transaction=False)
        for n in range(begin, min(begin + _PIPELINED, number)):
            event = encode_event(
                id=str(n),
                source="/plain",
                type=EventType.METRICS_UPDATED,
                subject=choices[n % len(choices)].row_id,
                time=datetime.now(UTC),
                sequence=n + 1,
                data={"metrics": ready[n % 1_000]},
            )
            pipeline.xadd(f"plain:log:{n % 8}", {"event": event})
        pipeline.execute()


def main() -> None:
    """Send, wait, say what it took."""
    side, number = sys.argv[1], int(sys.argv[2])
    own_s, begin = time.process_time(), time.perf_counter()
    if side == "xadd":
        _pipelined(number)
    else:
        _publish(side, number)
    print(json.dumps({"took_s": time.perf_counter() - begin, "cpu_s": time.process_time() - own_s}))


if __name__ == "__main__":
    main()
