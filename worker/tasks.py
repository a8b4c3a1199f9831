"""The tasks: thin shells around the modules that do the work; worker/celery.py registers them. None carries data, all may be repeated."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache

import structlog

from contract.errors import RuntallyError
from contract.link import Link
from contract.registry import Registry, load_registry
from contract.settings import Settings, load_settings
from worker.bell import ring
from worker.consume import Consumer
from worker.flush.flusher import flush as flush_base
from worker.maintain import trim_all
from worker.periodic import MAINTAIN_S, flush_interval_s, is_due, sweep_interval_s, verify_interval_s
from worker.stopping import stopping
from worker.sweep import sweep as sweep_silent
from worker.verify import look

CONSUME_S = 5.0
"""How long one `consume` keeps its thread before it lets others have a turn."""

FLUSH_S = 20.0
"""How long one `flush` keeps its thread. With an interval of 0 the next one follows at once."""

_log = structlog.get_logger("runtally.tasks")


@cache
def _context() -> tuple[Settings, Registry]:
    settings = load_settings()
    return settings, load_registry(settings.metrics_file)


@cache
def _consumer(partition: int) -> tuple[Consumer, threading.Lock]:
    settings, registry = _context()
    return Consumer(settings, registry, partition), threading.Lock()


def _link(name: str) -> Link:
    settings, _ = _context()
    return Link(settings.redis_url.get_secret_value(), name=f"runtally-{name}")


def consume(partition: int) -> None:
    """Fold what one partition's log holds. When Redis is away, the next look at the bell tries again."""
    consumer, lock = _consumer(partition)
    # A turn in this process that is about to end has looked at the log already: so wait for it a moment, rather than leave.
    if not lock.acquire(timeout=0.2):
        return
    try:
        done = consumer.turn(stopping.is_set, CONSUME_S)
        if not done.drained and not done.busy:
            link = _link("bell")
            link.open()
            ring(link, partition)
            link.close()
    except RuntallyError as error:
        _log.warning("consume put off", partition=partition, error=str(error))
    finally:
        lock.release()


def flush() -> None:
    """Write dirty rows to Airtable. Nothing is written without a token and a base."""
    settings, registry = _context()
    if settings.has_airtable:
        _at_most_once_in(flush_interval_s(settings), "flush", lambda link: flush_base(settings, link, registry, stopping.is_set, FLUSH_S))


def sweep() -> None:
    """Close runs that are silent for too long."""
    settings, _ = _context()
    _at_most_once_in(sweep_interval_s(settings), "sweep", lambda link: sweep_silent(link, settings))


def verify() -> None:
    """Look for what is wrong, and tell it. Nothing is repaired."""
    settings, registry = _context()
    if settings.verify_interval_s:
        _at_most_once_in(verify_interval_s(settings), "verify", lambda link: look(settings, link, registry, stopping.is_set))


def maintain() -> None:
    """Forget what has had its time: folded log entries, silent publishers, the rows of finished runs."""
    settings, _ = _context()
    _at_most_once_in(MAINTAIN_S, "maintain", lambda link: trim_all(link, settings))


def _at_most_once_in(interval_s: float, name: str, work: Callable[[Link], object]) -> None:
    """Do the work over a link of its own, if it is due. When Redis or Airtable is away, the next tick tries again."""
    link = _link(name)
    try:
        link.open()
        if is_due(link, name, interval_s):
            work(link)
    except RuntallyError as error:
        _log.warning(f"{name} put off", error=str(error))
    finally:
        link.close()
