"""Fault 13, the server's side: the disk of the append-only file is full. Redis refuses writes (MISCONF), publishers keep the events.

Needs root, for a small tmpfs. (The disk of the spool is another fault.)
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.children import wait_until
from contract import keys
from contract.errors import StoreRefused
from contract.link import Link
from contract.settings import Settings, load_settings
from embedded import EmbeddedValkey
from faults.producers.counting import REGISTRY
from faults.producers.small_disk import allowed, small_disk
from faults.producers.told import RUN
from faults.producers.verdict import verdict
from producers.publisher import Publisher
from worker.consume import Consumer
from worker.store.reader import Reader

NAME = "disk_full_aof"

_MIB = 1 << 20
_WAIT_S = 40.0


@dataclass(frozen=True)
class Filled:
    """`emitted`: events accepted, before, while and after the disk was full; `counted` afterwards. `refused_s`: how long writes were
    refused; `recovered_s`: from the moment there was space until all was counted. `gaps`: sequences that the fold missed."""

    emitted: int
    counted: int
    refused_s: float
    recovered_s: float
    gaps: int


def trial(*, delivery: str, full_s: float, rng: random.Random) -> Filled:
    """Events flow; the disk fills and stays full while more events are emitted; then there is space."""
    with small_disk(24) as disk, EmbeddedValkey(disk / "data") as server, tempfile.TemporaryDirectory() as folder:
        settings = load_settings(_env_file=None, redis_url=server.url, delivery=delivery, spool_dir=Path(folder) / "spool")
        link = Link(server.url, name="fault", timeout_s=20)
        link.open()
        publisher = Publisher(settings)
        emitted = _emit(publisher, rng.randrange(200, 400))
        publisher.flush(10)
        begin = _fill(disk, link)
        while time.monotonic() < begin + full_s or not publisher.counters.get("failed_rounds"):
            emitted += _emit(publisher, rng.randrange(50, 100))
            publisher.flush(0.05)
        refused_s = time.monotonic() - begin
        (disk / "ballast").unlink()
        freed = time.monotonic()
        emitted += _emit(publisher, rng.randrange(50, 100))
        wait_until("all events delivered", _WAIT_S, None, lambda: publisher.flush(0.2) == 0)
        wait_until("all events counted", _WAIT_S, None, lambda: _counted(settings, link) >= emitted)
        recovered_s = time.monotonic() - freed
        gaps = Reader(link, settings.partitions, REGISTRY).counters().get("gaps", 0)
        count = _counted(settings, link)
        publisher.close()
        link.close()
    return Filled(emitted, count, refused_s, recovered_s, gaps)


def run(seed: int, seconds: float) -> dict[str, Any]:
    """The disk full for a while, at two levels of delivery."""
    why_not = allowed()
    if why_not is not None:
        return verdict(NAME, seed, ok=False, details={"not_run": why_not})
    rng = random.Random(seed)  # noqa: S311  # amounts, no secret
    found = [trial(delivery=level, full_s=max(1.0, seconds / 4), rng=rng) for level in ("appended", "fsynced")]
    return verdict(
        NAME,
        seed,
        level="appended, fsynced",
        lost=sum(max(0, one.emitted - one.counted) for one in found),
        doubled=sum(max(0, one.counted - one.emitted) for one in found),
        corrupt=sum(one.gaps for one in found),
        longest_gap_s=max(one.refused_s for one in found),
        recovered_s=max(one.recovered_s for one in found),
        details={"emitted": sum(one.emitted for one in found)},
    )


def _emit(publisher: Publisher, number: int) -> int:
    data = {"run_id": RUN, "client_id": "a", "metrics": {"leads_processed": 1}}
    return sum(publisher.emit("client.metrics.updated", data) for _ in range(number))


def _fill(disk: Path, link: Link) -> float:
    """Fill the disk to its last byte, and wait until the server refuses writes; when it did."""
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(os.urandom(_MIB // 16))
        except OSError:
            pass
        try:
            while ballast.write(b"x" * 512):
                pass
        except OSError:
            pass
    wait_until("writes refused", _WAIT_S, None, lambda: _refused(link))
    return time.monotonic()


def _refused(link: Link) -> bool:
    try:
        link.call("SET", "fault:probe", "x" * 2_000)
    except StoreRefused as error:
        return error.code == "MISCONF"
    return False


def _counted(settings: Settings, link: Link) -> int:
    consumer = Consumer(settings, REGISTRY, keys.partition_of(RUN, settings.partitions))
    try:
        consumer.turn()
    except StoreRefused:
        return 0
    finally:
        consumer.close()
    job = Reader(link, settings.partitions, REGISTRY).job(RUN)
    return 0 if job is None else int(job.metrics.get("Leads Processed", 0))
