"""What the rows say once everything in the log is folded: for tests of producers that take run IDs by themselves."""

from __future__ import annotations

from contract.link import Link
from contract.settings import Settings
from tests.building import REGISTRY
from worker.consume import Consumer
from worker.rows import ClientRow, JobRow
from worker.store.reader import Reader

Run = tuple[JobRow, list[ClientRow]]


def runs(settings: Settings) -> list[Run]:
    """Every job with its clients, the first to start first. Folds in this process."""
    for partition in range(settings.partitions):
        Consumer(settings, REGISTRY, partition).turn()
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    try:
        reader = Reader(link, settings.partitions, REGISTRY)
        jobs = sorted(reader.latest(1_000, []), key=lambda job: job.run)
        return [(job, sorted(reader.clients(job.run), key=lambda row: row.client)) for job in jobs]
    finally:
        link.close()


def only_run(settings: Settings) -> Run:
    """The one job there is, with its clients."""
    (run,) = runs(settings)
    return run
