"""Celery tasks as runs: `track_tasks(app)` once, where the app is made. The one module of this package that imports Celery.

One task ID is one run. Its retries, and its redeliveries after a worker's death, continue that run; it ends with the task's final outcome.
Celery logs what its signals' receivers raise and goes on: whatever goes wrong here, the task works.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from threading import get_ident
from typing import Any

from celery import signals, states
from celery.exceptions import Reject

from producers.default import publisher
from producers.runs import told
from producers.runs.named_runs import known_run, run_named
from producers.runs.run_ids import TakenId
from producers.runs.work import Metrics, Plan, Terms, Work

_KIND = "celery"
_HEADER = "runtally_run"
_NEVER = ("celery.", "runtally.")
"""Celery's own tasks, and ours: an event for each task that folds events would never end."""


def track_tasks(
    app: Any,
    names: str = "*",
    /,
    *,
    client: Any = None,
    run_id: Any = None,
    stream: Any = None,
    job_type: Any = None,
    metrics: Metrics | None = None,
) -> None:
    """Track the app's tasks whose name fits the pattern `names`, each task ID as a run. Of calls that fit a task, the last one counts.

    `client`, `run_id`, `stream` and `job_type`: a value, or a function of the task's arguments (without the `self` of bound tasks).
    A task is a job of its own, its type the task's name; with a `client` it is that client's run in it; with the `run_id` of a job and
    a `client`, that client's part of somebody else's job. `metrics`: a function of what the task returned. Inside,
    `producers.current_run()` counts too.

    Call it in the module that makes the app: workers' children and threads, eager tasks and senders all read it there. Raises TypeError
    for metrics without a client.
    """
    tracker = _trackers.get(app)
    if tracker is None:
        tracker = _trackers[app] = _Tracker(app)
        tracker.connect()
    tracker.rules.append((names, Plan(job_type, run_id, client, stream, metrics)))


class _Tracker:
    """What Celery's signals tell about one app's tasks, as events."""

    def __init__(self, app: Any) -> None:
        self.rules: list[tuple[str, Plan]] = []
        self._app = app
        # A task's signals come in the thread that runs it. The same task may be delivered to another one meanwhile.
        self._open: dict[tuple[str, int], tuple[Work, Plan]] = {}

    def connect(self) -> None:
        signals.task_prerun.connect(self._begin, weak=False)
        signals.task_postrun.connect(self._end, weak=False)
        signals.task_failure.connect(self._lost, weak=False)
        signals.task_revoked.connect(self._revoked, weak=False)
        signals.before_task_publish.connect(self._hand_on, weak=False)

    def _plan(self, task: Any) -> Plan | None:
        if task.app != self._app or task.name.startswith(_NEVER):
            return None
        return next((plan for names, plan in reversed(self.rules) if fnmatchcase(task.name, names)), None)

    def _begin(self, task_id: str, task: Any, args: Any, kwargs: Any, **_: Any) -> None:
        plan = self._plan(task)
        if plan is None:
            return
        terms = _terms(plan, task, args, kwargs)
        taken = _run_of(terms, task_id, task.request)
        work = terms.work(publisher(), taken.run_id, taken.origin or None)
        work.__enter__()
        self._open[task_id, get_ident()] = work, plan
        if task.request.retries:
            work.note(f"retry {task.request.retries}")
        elif (task.request.delivery_info or {}).get("redelivered"):
            work.note("delivered again: the worker that had it was lost, or did not tell its end in time")

    def _end(self, task_id: str, task: Any, retval: Any, state: str | None, **_: Any) -> None:
        work, plan = self._open.pop((task_id, get_ident()), (None, None))
        if work is None or plan is None:
            return
        failure = retval if state == states.FAILURE else None
        if state is None:
            # An exception goes through the tracer. An eager task ends with it; in a worker Celery decides what becomes of the task.
            failure = sys.exception() if task.request.is_eager else None
        goes_on = state == states.RETRY or (state == states.REJECTED and retval.requeue) or (state is None and failure is None)
        if goes_on:
            if state is not None:
                work.note(f"it will be tried again: {_cause(retval)}")
            work.suspend()
            return
        if state == states.REJECTED:
            failure = retval
        if state == states.SUCCESS:
            work.count(plan.metrics, retval)
        work.__exit__(None if failure is None else type(failure), failure, None)

    def _lost(self, sender: Any, task_id: str, exception: Any, args: Any, kwargs: Any, **_: Any) -> None:
        """Told where the task runs, before `_end`; and by the worker's parent when a child was lost or ran into its hard time limit."""
        if (task_id, get_ident()) not in self._open and not isinstance(exception, Reject):
            self._close(sender, task_id, args, kwargs, told(exception))

    def _revoked(self, sender: Any, request: Any, terminated: bool, expired: bool, **_: Any) -> None:
        """Told by the worker's parent. A task that never began has no run to be closed, unless it is part of somebody's job."""
        reason = "terminated" if terminated else "expired" if expired else "revoked"
        self._close(sender, request.id, request.args, request.kwargs, f"{reason}, before it was done")

    def _close(self, task: Any, task_id: str, args: Any, kwargs: Any, reason: str) -> None:
        plan = self._plan(task)
        if plan is None:
            return
        terms = _terms(plan, task, args, kwargs)
        own = publisher()
        run_id = terms.run_id or known_run(own.settings, _KIND, task_id)
        if run_id is not None:
            terms.work(own, run_id).fail(reason)

    def _hand_on(self, headers: Mapping[str, Any] | None = None, **_: Any) -> None:
        """A retry's message carries the run, should Redis be away when it is delivered."""
        open_here = self._open.get(((headers or {}).get("id", ""), get_ident()))
        if open_here is not None and isinstance(headers, dict):
            headers[_HEADER] = open_here[0].job.run_id


_trackers: dict[Any, _Tracker] = {}


def _terms(plan: Plan, task: Any, args: Any, kwargs: Any) -> Terms:
    terms = plan.terms(tuple(args or ()), kwargs or {})
    return terms if terms.job_type is not None else terms._replace(job_type=task.name)


def _run_of(terms: Terms, task_id: str, request: Any) -> TakenId:
    given = terms.run_id or getattr(request, _HEADER, None)
    return TakenId(given, "", True) if given else run_named(publisher().settings, _KIND, task_id)


def _cause(retval: Any) -> str:
    """What made a task ask for another try, from Celery's Retry or Reject."""
    cause = getattr(retval, "exc", None) or getattr(retval, "reason", None) or retval
    return told(cause) if isinstance(cause, BaseException) else str(cause)
