"""Celery workers as children: the plain peer, and Runtally's own with its beat."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass

from benchmarks.children import Children, wait_until
from benchmarks.cpu import cpu_s, group_cpu_s
from benchmarks.plain_celery import DONE, QUEUE
from contract.link import Link

POOLS = {"prefork": ("-P", "prefork", "-c", "1"), "solo": ("-P", "solo"), "threads": ("-P", "threads", "-c", "4")}
"""The pools the peer is measured with, as arguments. Each is one worker process (prefork: one child that works)."""

_QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR")
_START_S = 30.0


@dataclass(frozen=True)
class Drained:
    """How the peer did on a prefilled queue: from its first counted event to its last."""

    events: int
    took_s: float
    worker_cpu_s: float
    server_cpu_s: float

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.took_s


def start_plain(children: Children, pool: str) -> subprocess.Popen[bytes]:
    """Start the peer's worker; it counts once it is up."""
    return children.start("-m", "celery", "-A", "benchmarks.plain_celery", "worker", "-Q", QUEUE, *POOLS[pool], *_QUIET)


def start_runtally(children: Children) -> subprocess.Popen[bytes]:
    """Start Runtally's worker, all at its defaults, and a beat that ticks for it (ended with the others); the worker."""
    start_beat(children)
    return start_worker(children)


def start_beat(children: Children) -> subprocess.Popen[bytes]:
    """Runtally's beat."""
    schedule = str(children.folder / "beat-schedule")
    return children.start("-m", "celery", "-A", "worker", "beat", "--schedule", schedule, "--pidfile=", "--loglevel", "ERROR")


def start_worker(children: Children) -> subprocess.Popen[bytes]:
    """Runtally's worker without a beat."""
    return children.start("-m", "celery", "-A", "worker", "worker", "--loglevel", "WARNING")


def drain_plain(children: Children, link: Link, pool: str, events: int, server: int) -> Drained:
    """Let the peer count what its queue holds: `events`, without the repeats. Raises ChildFailed.

    The clock starts at the first counted event, so neither start nor imports are held against it; and it stops at the last.
    """
    worker = start_plain(children, pool)

    def done() -> int:
        return int(link.call("GET", DONE) or 0)

    wait_until("the plain worker's first event", _START_S, worker, done)
    first, begin = done(), time.perf_counter()
    worker_s, server_s = group_cpu_s(worker.pid), cpu_s(server)
    wait_until("the plain worker's last event", 120, worker, lambda: done() >= events)
    took_s = time.perf_counter() - begin
    drained = Drained(events - first, took_s, group_cpu_s(worker.pid) - worker_s, cpu_s(server) - server_s)
    children.end(worker)
    return drained
