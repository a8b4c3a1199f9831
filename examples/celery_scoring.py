"""Celery tasks as runs. `celery -A examples.celery_scoring worker` works them off; `python -m examples.celery_scoring` sends some."""

from __future__ import annotations

from celery import Celery, Task

import producers
from contract.settings import load_settings
from producers.celery_tasks import track_tasks

LEADS = {"acme": ["Ada", "Grace", "Edsger"], "Jane-Doe": ["Alan"]}

app = Celery("scoring", broker=load_settings().broker)
app.conf.update(task_ignore_result=True, task_acks_late=True, broker_transport_options={"global_keyprefix": "scoring:"})

track_tasks(app)  # the one line: every task is a run
track_tasks(app, "scoring.score", client=lambda client_id: client_id, metrics=lambda scored: {"profiles_successfully_scored": scored})


@app.task(name="scoring.score", bind=True, autoretry_for=(TimeoutError,), default_retry_delay=0)
def score(self: Task[[str], int], client_id: str) -> int:
    """Score a client's leads; how many it were. The first try meets a service that is away."""
    if self.request.retries == 0 and client_id == "acme":
        raise TimeoutError("the model's service does not answer")
    run = producers.current_run()
    for _ in LEADS[client_id]:
        run.count(leads_processed=1, profile_scoring_tokens=812)
    return len(LEADS[client_id])


@app.task(name="scoring.tidy")
def tidy() -> None:
    """Work for no client in particular."""


def main() -> None:
    """Send the tasks."""
    for client_id in (*LEADS, "unknown"):
        score.delay(client_id)
    tidy.delay()


if __name__ == "__main__":
    main()
