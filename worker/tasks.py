"""The tasks: thin shells around the modules that do the work. None carries data, all may be repeated."""

from __future__ import annotations

import threading
from functools import cache

import structlog

from contract.errors import RuntallyError
from contract.link import Link
from contract.registry import Registry, load_registry
from contract.settings import Settings, load_settings
from worker.bell import ring
from worker.celery import app
from worker.consume import Consumer
from worker.flush.flusher import flush as flush_base
from worker.maintain import trim
from worker.stopping import stopping
from worker.sweep import sweep as sweep_silent

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
    link = Link(settings.redis_url.get_secret_value(), name=f"runtally-{name}")
    link.open()
    return link


@app.task(name="runtally.consume")
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
            ring(link, partition)
            link.close()
    except RuntallyError as error:
        _log.warning("consume put off", partition=partition, error=str(error))
    finally:
        lock.release()


@app.task(name="runtally.flush")
def flush() -> None:
    """Write dirty rows to Airtable. Nothing is written without a token and a base."""
    settings, registry = _context()
    if settings.airtable_token is None or settings.airtable_base_id is None:
        return
    try:
        link = _link("flush")
        flush_base(settings, link, registry, stopping.is_set, FLUSH_S)
        link.close()
    except RuntallyError as error:
        _log.warning("flush put off", error=str(error))


@app.task(name="runtally.sweep")
def sweep() -> None:
    """Close runs that are silent for too long."""
    settings, _ = _context()
    try:
        link = _link("sweep")
        sweep_silent(link, settings)
        link.close()
    except RuntallyError as error:
        _log.warning("sweep put off", error=str(error))


@app.task(name="runtally.maintain")
def maintain() -> None:
    """Forget what has had its time: folded log entries, silent publishers, runs whose rows are gone."""
    settings, _ = _context()
    try:
        link = _link("maintain")
        for partition in range(settings.partitions):
            trim(link, partition, settings)
        link.close()
    except RuntallyError as error:
        _log.warning("maintenance put off", error=str(error))
