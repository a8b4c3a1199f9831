"""The Celery app: found by `celery -A worker`. Where each of its settings comes from stands in docs/design.md.

Messages carry no data, only "look at partition 3": losing one costs a second, a repeated one finds nothing to do.
"""

from __future__ import annotations

import gc
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_ready, worker_shutting_down

from contract.logs import configure_logs
from contract.settings import load_settings
from worker import tasks
from worker.bell import BellListener
from worker.periodic import MAINTAIN_S, flush_interval_s, sweep_interval_s, verify_interval_s
from worker.stopping import stopping

_HARD_LIMIT_S = 60
_VISIBILITY_S = 180
"""Above the hard time limit; also how long a message of a dead worker waits to be delivered again."""


def celery_settings() -> dict[str, Any]:
    """Celery's settings, from ours. Read when the app is first used, not when this module is imported."""
    settings = load_settings()
    return {
        "broker_url": settings.broker,
        "result_backend": None,
        "task_ignore_result": True,
        "task_default_queue": "runtally",
        "task_serializer": "json",
        "event_serializer": "json",
        "accept_content": ["json"],
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_acks_on_failure_or_timeout": True,
        "task_time_limit": _HARD_LIMIT_S,
        "task_soft_time_limit": _HARD_LIMIT_S - 10,
        # Measured: threads fold as fast as a prefork child, stop in a second, and know no fork hazards (docs/design.md).
        "worker_pool": "threads",
        "worker_concurrency": 4,
        "worker_prefetch_multiplier": 1,
        "worker_send_task_events": True,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_soft_shutdown_timeout": 5,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "broker_channel_error_retry": True,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "visibility_timeout": _VISIBILITY_S,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 15,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "global_keyprefix": "rt:celery:",
        },
        # Two beats do no harm, nor do ticks that piled up while no worker was there: each task is idempotent, and does nothing when
        # its last turn is not long enough ago (worker/periodic.py). Messages do not expire: that would go by clocks that differ.
        "beat_schedule": {
            "flush": {"task": "runtally.flush", "schedule": flush_interval_s(settings)},
            "sweep": {"task": "runtally.sweep", "schedule": sweep_interval_s(settings)},
            "verify": {"task": "runtally.verify", "schedule": verify_interval_s(settings)},
            "maintain": {"task": "runtally.maintain", "schedule": MAINTAIN_S},
        },
    }


app = Celery("runtally")
app.add_defaults(celery_settings)

_consume = app.task(name="runtally.consume")(tasks.consume)
app.task(name="runtally.flush")(tasks.flush)
app.task(name="runtally.sweep")(tasks.sweep)
app.task(name="runtally.verify")(tasks.verify)
app.task(name="runtally.maintain")(tasks.maintain)

_bell: BellListener | None = None


@setup_logging.connect
def _logs(**_: Any) -> None:
    configure_logs(load_settings())


@worker_init.connect
def _listen_early(sender: Any, **_: Any) -> None:
    """Answer doorbells from the start: on a full Redis Celery never becomes ready, and what frees it is the listener."""
    if "prefork" not in str(sender.pool_cls):
        _listen()


@worker_ready.connect
def _listen_when_forked(**_: Any) -> None:
    """With prefork only after the pool has started: its parent must have no thread when it forks."""
    _listen()


def _listen() -> None:
    global _bell  # noqa: PLW0603  # one listener a worker process
    if _bell is None:
        _bell = BellListener(load_settings(), lambda partition: _consume.apply_async((partition,), retry=False), tasks.consume)
        _bell.start()
        # Rows and events hold no cycles: looking for some among them cost up to a third of the fold's time (docs/benchmarks.md).
        gc.freeze()
        gc.set_threshold(100_000, 50, 100)


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    stopping.set()
