"""A child of `latency`: single tasks of the peer, one at a time, each from `apply_async` to its effect in Redis; ms as JSON.

Argument: how many.
"""

from __future__ import annotations

import json
import os
import sys
import time

from benchmarks.plain_celery import DONE, count
from contract.link import Link

_BETWEEN_S = 0.02
_POLL_S = 0.001
_GIVE_UP_S = 20.0


def main() -> None:
    """The first few are not counted: worker and client connect with them."""
    link = Link(os.environ["RUNTALLY_REDIS_URL"], name="runtally-bench")
    link.open()
    took_ms = []
    done = int(link.call("GET", DONE) or 0)
    for n in range(int(sys.argv[1]) + 5):
        begin = time.monotonic()
        count.apply_async((f"{os.getpid()}-{n}", "latency", "latency-a", {"leads_processed": 1}))
        while int(link.call("GET", DONE) or 0) == done:
            if time.monotonic() > begin + _GIVE_UP_S:
                sys.exit("a task had no effect")
            time.sleep(_POLL_S)
        done += 1
        took_ms.append((time.monotonic() - begin) * 1000)
        time.sleep(_BETWEEN_S)
    print(json.dumps(took_ms[5:]))


if __name__ == "__main__":
    main()
