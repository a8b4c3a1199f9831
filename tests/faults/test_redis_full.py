"""Fault: Redis at maxmemory, with the broker in it. What the log holds is folded and trimmed, and then there is room again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from contract import keys
from contract.link import Link
from contract.settings import Settings
from embedded import EmbeddedValkey
from producers.publisher import Publisher
from tests.building import REGISTRY, RUN
from worker.store.reader import Reader

ROOT = Path(__file__).parents[2]
PARTITION = keys.partition_of(RUN, 8)


def test_a_full_redis_drains_and_takes_events_again(
    durable_valkey: EmbeddedValkey, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    link = Link(durable_valkey.url, name="test")
    link.open()
    # The scripts and the layout are there, as in any Redis that has worked before; then it is filled.
    publisher = Publisher(make_settings(redis_url=durable_valkey.url))
    publisher.emit("job.started", {"run_id": RUN})
    assert publisher.flush() == 0
    used = int(dict(line.split(b":", 1) for line in link.call("INFO", "memory").splitlines() if b":" in line)[b"used_memory"])
    link.call("CONFIG", "SET", "maxmemory", used + 6_000_000)
    emitted = 0
    while emitted < 100_000 and not publisher.counters.get("failed_rounds"):
        for _ in range(1_000):
            publisher.emit(
                "client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": {"leads_processed": 1}, "note": "x" * 200}
            )
        emitted += 1_000
        publisher.flush(timeout_s=0.2)
    assert publisher.pending > 0, "the log took everything: the server was not full"

    environment = {**os.environ, "RUNTALLY_REDIS_URL": durable_valkey.url, "PYTHONPATH": str(ROOT)}
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "worker", "worker", "--without-mingle", "--without-gossip"],
            env=environment,
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        )
    try:
        reader = Reader(link, 8, REGISTRY)
        deadline = time.monotonic() + 60
        while (job := reader.job(RUN)) is None or job.metrics.get("Leads Processed") != emitted:
            assert time.monotonic() < deadline, (job and job.metrics, emitted, (tmp_path / "worker.log").read_text()[-1500:])
            time.sleep(0.05)
        assert publisher.flush(timeout_s=20) == 0
        assert reader.counters().get("duplicates", 0) == 0 or reader.counters()["events"] >= emitted
    finally:
        worker.kill()
        worker.wait(10)
        publisher.close()
        link.close()
