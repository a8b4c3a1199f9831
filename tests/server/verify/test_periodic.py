"""Beat's checks: every run in turn, each finding told once, nothing repaired, no call to Airtable unless that was asked for."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from contract import keys
from dashboard.health import HealthReader
from worker.verify import look
from worker.verify.patrol import Patrol

from .conftest import QUIET, RUN, Flow


def turn(flow: Flow, **settings: Any) -> list[dict[str, Any]]:
    """One check; what it logged."""
    with capture_logs() as lines:
        look(flow.settings.model_copy(update=settings), flow.link, flow.registry)
    return [dict(line) for line in lines]


def standing(flow: Flow) -> int:
    health = HealthReader(flow.settings)
    found = health.read().findings
    health.close()
    return found


def test_a_finding_is_told_once_counted_and_gone_when_it_is_mended(flow: Flow) -> None:
    assert turn(flow) == []
    flow.write_metric(None, "Leads Processed", 17)
    (line,) = turn(flow)
    assert line["event"] == "verify found"
    assert {name: line[name] for name in ("kind", "run_id", "client_id", "what", "found", "expected")} == {
        "kind": "total",
        "run_id": RUN,
        "client_id": None,
        "what": "Leads Processed",
        "found": "17",
        "expected": "16",
    }
    assert turn(flow) == []
    assert standing(flow) == 1
    assert flow.total("Leads Processed") == 17, "nothing is repaired"
    flow.verify(repair=True)
    flow.settle()
    assert [line["event"] for line in turn(flow)] == ["findings of verify are gone"]
    assert standing(flow) == 0
    flow.write_metric(None, "Leads Processed", 18)
    assert [line["event"] for line in turn(flow)] == ["verify found"]
    assert flow.link.call("HGET", keys.VERIFY, "findings") == b"2"


def test_it_asks_airtable_only_if_that_was_configured(flow: Flow) -> None:
    flow.clients.update(flow.record("a")["id"], {"Leads Processed": 11})
    flow.at_rest()
    flow.sandbox.reset_counters()
    assert turn(flow) == []
    assert flow.sandbox.counters()["calls"] == 0
    (line,) = turn(flow, verify_airtable=True)
    assert (line["kind"], line["place"], line["client_id"]) == ("field", "airtable", "a")
    assert turn(flow, verify_airtable=True) == []


def test_turns_without_time_go_through_all_runs_in_turn(flow: Flow) -> None:
    patrol = Patrol(flow.link, flow.settings, flow.registry)
    flow.write_metric(None, "Leads Processed", 17)
    seen = []
    for _ in range(4):
        assert patrol.turn(budget_s=0) == 1
        seen.append(flow.link.call("HGET", keys.VERIFY, "after").decode())
    assert seen == [RUN, QUIET, RUN, QUIET]
    assert standing(flow) == 1, "a run that was not looked at keeps its findings"


def test_a_worker_that_stops_leaves_off(flow: Flow) -> None:
    assert Patrol(flow.link, flow.settings, flow.registry).turn(lambda: True) == 0
    assert flow.link.call("EXISTS", keys.VERIFY) == 0


def test_many_findings_are_a_few_lines(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.verify.told.MOST_LINES", 1)
    monkeypatch.setattr("worker.verify.told.MOST_KEPT", 2)
    flow.write_metric(None, "Leads Processed", 17)
    flow.write_metric(None, "Posts Processed", 1)
    flow.write_metric(None, "Errors", 5)
    assert [(line["event"][:18], line.get("more")) for line in turn(flow)] == [("verify found", None), ("verify found more:", 2)]
    assert standing(flow) == 2
    assert len(turn(flow)) == 1, "what was not remembered is told again"


def test_beat_has_it_done(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    from worker import tasks
    from worker.celery import app, celery_settings

    schedule = celery_settings()["beat_schedule"]["verify"]
    assert schedule["schedule"] == 3_600.0
    assert app.tasks[schedule["task"]].run is tasks.verify
    monkeypatch.setattr(tasks, "_context", lambda: (flow.settings, flow.registry))
    flow.write_metric(None, "Leads Processed", 17)
    tasks.verify()
    assert standing(flow) == 1
    flow.link.call("DEL", keys.VERIFY_FOUND)
    tasks.verify()
    assert standing(flow) == 0, "not again within the interval"
    flow.link.call("DEL", keys.periodic("verify"))
    monkeypatch.setattr(tasks, "_context", lambda: (flow.settings.model_copy(update={"verify_interval_s": 0}), flow.registry))
    tasks.verify()
    assert standing(flow) == 0
