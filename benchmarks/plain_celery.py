"""The peer: what one would write without Runtally. One Celery task an event, one script in Redis that counts it once.

Everything that costs time and is not asked for is off: results, events, gossip, mingle, heartbeats, rate limits, late
acknowledgement (with it a task costs more). Messages are prefetched. The script is sent once and called by its digest.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import redis
from celery import Celery

QUEUE = "plain"
DONE = "plain:done"
"""STRING: how many tasks have counted, repeats not among them."""

_COUNT_ONCE = """
if redis.call('SADD', KEYS[1], ARGV[1]) == 0 then
  return 0
end
for i = 2, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1])
  redis.call('HINCRBY', KEYS[3], ARGV[i], ARGV[i + 1])
end
return redis.call('INCR', KEYS[4])
"""

app = Celery("plain")
app.conf.update(
    broker_url=os.environ.get("RUNTALLY_REDIS_URL"),
    result_backend=None,
    task_ignore_result=True,
    task_default_queue=QUEUE,
    task_acks_late=False,
    worker_disable_rate_limits=True,
    worker_prefetch_multiplier=64,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"global_keyprefix": "plain:celery:"},
)


@cache
def _script() -> Any:
    return redis.Redis.from_url(app.conf.broker_url).register_script(_COUNT_ONCE)


@app.task(name="plain.count")
def count(identity: str, run: str, row_id: str, metrics: dict[str, int]) -> None:
    """Count one event once."""
    pairs = [part for pair in metrics.items() for part in pair]
    _script()(keys=["plain:seen", f"plain:{row_id}", f"plain:{run}", DONE], args=[identity, *pairs])
