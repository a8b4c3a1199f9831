"""Publishers with a spool, processes that emit, and what of it all a worker counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract import keys
from contract.link import Link
from contract.settings import Settings
from producers.publisher import Publisher
from producers.spool.folder import ABOUT, folders, read_about, target_of
from tests.building import REGISTRY
from worker.consume import Consumer
from worker.rows import ClientRow
from worker.store.reader import Reader

RUN = "250930-141522"
ROOT = Path(__file__).parents[3]
NOWHERE = "redis://127.0.0.1:1/0"

DURABLE = """
    number = 0
    while True:
        number += 1
        if emit(1, durable=True):
            sys.stdout.write("x"); sys.stdout.flush()
"""


def eventually(holds: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        threading.Event().wait(0.02)


def emit(publisher: Publisher, number: int, client: str = "a", **more: Any) -> bool:
    return publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": client, "metrics": {"errors": number}}, **more)


def folded(settings: Settings, client: str = "a", run: str = RUN) -> int:
    """The sum that a worker has counted, after it has folded what there is."""
    consumer = Consumer(settings, REGISTRY, keys.partition_of(run, settings.partitions))
    consumer.turn()
    consumer.close()
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    row = next((row for row in Reader(link, settings.partitions, REGISTRY).clients(run) if row.client == client), None)
    link.close()
    assert row is None or isinstance(row, ClientRow)
    return 0 if row is None else int(row.metrics.get("Errors", 0))


def sequences(url: str, run: str = RUN) -> dict[str, list[int]]:
    """The sequences in the log, by source."""
    link = Link(url, name="test")
    link.open()
    found: dict[str, list[int]] = {}
    for _, fields in link.call("XRANGE", keys.log(keys.partition_of(run, 8)), "-", "+"):
        for event in json.loads(fields[1]):
            found.setdefault(event["source"], []).append(int(event["sequence"]))
    link.close()
    return found


def in_order_but_for_repeats(numbers: list[int]) -> bool:
    """Whether a watermark alone counts each once: none comes for the first time behind a higher one."""
    highest = 0
    for number in numbers:
        if number > highest + 1:
            return False
        highest = max(highest, number)
    return True


def spooled_folders(settings: Settings) -> list[Path]:
    return list(folders(settings.spool_dir))


def start_child(settings: Settings, program: str, **environment: str) -> subprocess.Popen[str]:
    """A process that emits: `emit(number)` and `publisher` are there, and it has the same spool."""
    head = """
        import sys, os
        from producers.default import publisher
        publisher = publisher()
        def emit(number, **more):
            data = {"run_id": "250930-141522", "client_id": "a", "metrics": {"errors": number}}
            return publisher.emit("client.metrics.updated", data, **more)
    """
    own = {
        "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
        "RUNTALLY_SPOOL_DIR": str(settings.spool_dir),
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(program)],
        env={**os.environ, **own, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def retarget(settings: Settings) -> None:
    """As if the folders had been written for the Redis of these settings."""
    for folder in folders(settings.spool_dir):
        (folder / ABOUT).write_text(json.dumps(read_about(folder) | {"target": target_of(settings.redis_url.get_secret_value())}))
