"""Celery tasks as runs where no worker is: eager ones, and what is no run."""

from __future__ import annotations

import pytest

from contract.settings import Settings
from contract.status import Status
from producers import default
from producers.publisher import Publisher
from tests.server.counted_runs import only_run, runs
from tests.server.tracked_app import app, fail, flaky, give_up, plain, read
from worker.rows import text


def test_eager_tasks_are_runs_too_with_their_retries(settings: Settings) -> None:
    publisher = Publisher(settings)
    default.use(publisher)
    try:
        assert read.apply(("acme", 4)).get() == 4
        assert flaky.apply(("flaky", 1)).get() == 1
        with pytest.raises(ValueError, match="no source"):
            fail.apply(("broken",), throw=True)
        assert publisher.close() == 0
    finally:
        default.use(None)
    found = {client.client: (job, client) for job, (client,) in runs(settings)}
    assert len(runs(settings)) == 3
    assert found["acme"][1].metrics == {"Leads Processed": 4, "Profile Scoring Tokens": 4}
    assert (found["flaky"][0].status, "retry 1" in text(found["flaky"][1], "notes")) == (Status.COMPLETED, True)
    assert found["broken"][0].status is Status.FAILED
    assert "ValueError: broken has no source" in text(found["broken"][1], "errors")


def test_tasks_that_are_ignored_or_rejected(settings: Settings) -> None:
    publisher = Publisher(settings)
    default.use(publisher)
    try:
        for how in ("ignore", "reject", "requeue"):
            give_up.apply((how, how))
        assert publisher.close() == 0
    finally:
        default.use(None)
    found = {client.client: (job.status, client) for job, (client,) in runs(settings)}
    assert {name: status for name, (status, _) in found.items()} == {
        "ignore": Status.NO_LEADS,
        "reject": Status.FAILED,
        "requeue": Status.RUNNING,
    }
    assert "it will be tried again: not for me" in text(found["requeue"][1], "notes")


def test_another_apps_tasks_and_celerys_own_are_left_alone(settings: Settings) -> None:
    from celery import Celery

    other = Celery("other")

    @other.task(name="leads.other")
    def work(client: str) -> None:
        pass

    publisher = Publisher(settings)
    default.use(publisher)
    try:
        work.apply(("acme",))
        app.tasks["celery.accumulate"].apply((1,))
        plain.apply()
        assert publisher.close() == 0
    finally:
        default.use(None)
    job, _ = only_run(settings)
    assert job.job_type == "plain"


def test_what_goes_wrong_in_tracking_stops_no_task(settings: Settings) -> None:
    publisher = Publisher(settings)
    default.use(publisher)
    try:
        assert read.apply(("", 4)).state == "FAILURE"  # its own fault: no current run
        assert flaky.apply(("", 0)).get() == 1
        assert publisher.close() == 0
    finally:
        default.use(None)
    assert runs(settings) == []
