"""The worker's part of a test: fold what the log has, now, in this process."""

from __future__ import annotations

from contract.registry import load_registry
from contract.settings import Settings
from worker.consume import Consumer


def fold_everything(settings: Settings) -> None:
    """Fold every partition until its log is drained."""
    registry = load_registry(settings.metrics_file)
    for partition in range(settings.partitions):
        consumer = Consumer(settings, registry, partition)
        try:
            done = consumer.turn(budget_s=60)
            assert done.drained, f"partition {partition} is not drained"
        finally:
            consumer.close()
