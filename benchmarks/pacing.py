"""A child of `latency`: emits events at a steady pace. Says `ready` after a first event, begins at a line on its stdin.

Arguments: run ID, client ID, how many events, events a second. At the end the moments of the calls, as JSON, by the
monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import json
import sys
import time

from contract.settings import load_settings
from producers.publisher import Publisher
from producers.runs import Job


def main() -> None:
    """Emit them."""
    run_id, client, number, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    publisher = Publisher(load_settings())
    run = Job(publisher, run_id, None, None, None).client(client)
    run.count(leads_processed=1)
    publisher.flush(10)
    print("ready", flush=True)
    sys.stdin.readline()
    moments = []
    begin = time.monotonic()
    for n in range(number):
        left = begin + n / rate - time.monotonic()
        if left > 0:
            time.sleep(left)
        moments.append(time.monotonic())
        run.count(leads_processed=1)
    undelivered = publisher.close(10)
    if undelivered:
        sys.exit(f"{undelivered} events not delivered")
    print(json.dumps(moments))


if __name__ == "__main__":
    main()
