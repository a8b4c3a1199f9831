"""A Celery app whose tasks are tracked: run by real workers in test_celery_tasks. FOLDER is where tasks leave their marks."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from celery import Celery
from celery.exceptions import Ignore, Reject

import producers
from contract.settings import load_settings
from producers.celery_tasks import track_tasks

app = Celery("tracked")
app.add_defaults(
    lambda: {
        "broker_url": load_settings().broker,
        "broker_transport_options": {
            "global_keyprefix": "tracked:",
            "visibility_timeout": 4,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
        },
        "broker_connection_retry_on_startup": True,
        "task_ignore_result": True,
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,
    }
)

track_tasks(app)
track_tasks(app, "leads.*", client=lambda client, *_, **__: client, metrics=lambda number: {"leads_processed": number})
track_tasks(app, "part.*", run_id=lambda run_id, _: run_id, client=lambda _, client: client)


def _first_time(name: str) -> bool:
    mark = Path(os.environ["FOLDER"]) / name
    if mark.exists():
        return False
    mark.write_text(str(os.getpid()), "utf-8")
    return True


@app.task(name="plain")
def plain() -> None:
    """A job without a client."""


@app.task(name="leads.read", acks_late=False)
def read(client: str, number: int = 1) -> int:
    """Counts by what it returns, and inside. Acknowledged early: a late acknowledgement may get lost at a warm shutdown (celery#3802)."""
    producers.current_run().count(profile_scoring_tokens=number)
    return number


@app.task(name="leads.fail")
def fail(client: str) -> None:
    """Always fails."""
    raise ValueError(f"{client} has no source")


@app.task(name="leads.flaky", bind=True, autoretry_for=(ConnectionError,), default_retry_delay=0, max_retries=2, retry_backoff=False)
def flaky(self: Any, client: str, failures: int) -> int:
    """Fails that many times before it works."""
    if self.request.retries < failures:
        raise ConnectionError(f"try {self.request.retries + 1}")
    return 1


@app.task(name="leads.later", bind=True)
def later(self: Any, client: str) -> None:
    """Asks for another try in two seconds, each time."""
    raise self.retry(countdown=2)


@app.task(name="leads.hang")
def hang(client: str) -> int:
    """Works for ever when it is first called."""
    if _first_time(f"hang-{client}"):
        time.sleep(300)
    return 1


@app.task(name="leads.crash", reject_on_worker_lost=True)
def crash(client: str) -> int:
    """Its process is killed when it is first called."""
    if _first_time(f"crash-{client}"):
        os.kill(os.getpid(), signal.SIGKILL)
    return 1


@app.task(name="leads.lost")
def lost(client: str) -> None:
    """Its process is killed, and nobody runs it again."""
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="leads.slow", time_limit=1)
def slow(client: str) -> None:
    """Runs into its hard time limit."""
    time.sleep(300)


@app.task(name="leads.give_up")
def give_up(client: str, how: str) -> None:
    """Ends in one of Celery's other ways."""
    if how == "ignore":
        raise Ignore
    raise Reject("not for me", requeue=how == "requeue")


@app.task(name="part.score")
def score(run_id: str, client: str) -> None:
    """One client's part of somebody's job."""
    producers.current_run().count(leads_processed=1)
