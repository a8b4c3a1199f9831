"""A Celery app whose tasks emit: the application of `forks`, run by a real prefork worker.

FAULT_LEDGER names the folder of the ledger. The app has emitted before its children are forked.
"""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery

import producers
from contract.settings import load_settings
from faults.producers.told import Told

EVENTS = 10

app = Celery("fault", broker=load_settings().broker)
app.conf.broker_transport_options = {"global_keyprefix": "fault:celery:"}
app.conf.task_ignore_result = True
app.conf.worker_max_tasks_per_child = 15

_told = Told(Path(os.environ["FAULT_LEDGER"]))
if os.environ.get("FAULT_WORKER"):
    _told.emit()
    producers.flush(20)


@app.task(name="fault.emit")
def emit() -> None:
    """Emit a few events."""
    for _ in range(EVENTS):
        _told.emit()
