"""Each fault as a client meets it, and what it leaves applied."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from pyairtable import Api
from pyairtable.api.table import Table

from airtable_sandbox import Sandbox


def rows(sandbox: Sandbox, table: Table) -> int:
    return len(sandbox.records(table.id, table.base.id))


@pytest.mark.parametrize(("when", "applied"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_status(jobs: Table, sandbox: Sandbox, status: int, when: str, applied: int) -> None:
    sandbox.fault("status", status=status, when=when, count=1)
    with pytest.raises(requests.HTTPError) as caught:
        jobs.create({"Run ID": "x"})
    assert caught.value.response is not None
    assert caught.value.response.status_code == status
    assert rows(sandbox, jobs) == applied
    jobs.create({"Run ID": "y"})
    assert rows(sandbox, jobs) == applied + 1


def test_the_502_is_a_page_of_html(jobs: Table, sandbox: Sandbox) -> None:
    sandbox.fault("status", status=502, count=1)
    with pytest.raises(requests.HTTPError) as caught:
        jobs.all()
    assert caught.value.response is not None
    assert caught.value.response.headers["content-type"].startswith("text/html")


def test_a_503_may_carry_retry_after(jobs: Table, sandbox: Sandbox, refusal: Any) -> None:
    sandbox.fault("status", status=503, retry_after_s=7, count=1)
    with pytest.raises(requests.HTTPError) as caught:
        jobs.all()
    assert caught.value.response is not None
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.json()["error"]["type"] == "RETRIABLE_ERROR"


@pytest.mark.parametrize(("when", "applied"), [("before", 0), ("after", 1)])
def test_a_reset_connection(jobs: Table, sandbox: Sandbox, when: str, applied: int) -> None:
    sandbox.fault("reset", when=when, count=1)
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        jobs.create({"Run ID": "x"})
    assert rows(sandbox, jobs) == applied
    assert sandbox.counters()["records_written"] == applied
    assert len(jobs.all()) == applied


@pytest.mark.parametrize(("when", "applied"), [("before", 0), ("after", 1)])
def test_a_hanging_call(jobs: Table, sandbox: Sandbox, when: str, applied: int) -> None:
    sandbox.fault("hang", when=when, count=1)
    impatient = Api(sandbox.token, endpoint_url=sandbox.url, timeout=(5, 0.1), retry_strategy=None).table(jobs.base.id, jobs.id)
    with pytest.raises(requests.ReadTimeout):
        impatient.create({"Run ID": "x"})
    assert rows(sandbox, jobs) == applied


@pytest.mark.parametrize(("when", "applied_at_once"), [("before", 0), ("after", 1)])
def test_a_slow_call_lands_although_the_client_has_given_up(jobs: Table, sandbox: Sandbox, when: str, applied_at_once: int) -> None:
    sandbox.fault("latency", latency_ms=300, when=when, count=1)
    impatient = Api(sandbox.token, endpoint_url=sandbox.url, timeout=(5, 0.1), retry_strategy=None).table(jobs.base.id, jobs.id)
    with pytest.raises(requests.ReadTimeout):
        impatient.create({"Run ID": "x"})
    assert rows(sandbox, jobs) == applied_at_once
    while rows(sandbox, jobs) < 1:  # bounded by the test's own timeout
        pass


@pytest.mark.parametrize(("when", "applied"), [("before", 0), ("after", 1)])
def test_a_garbage_body(jobs: Table, sandbox: Sandbox, when: str, applied: int) -> None:
    sandbox.fault("garbage", when=when, count=1)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        jobs.create({"Run ID": "x"})
    assert rows(sandbox, jobs) == applied


def test_a_fault_strikes_only_the_calls_it_is_meant_for(jobs: Table, clients: Table, sandbox: Sandbox) -> None:
    sandbox.fault("status", method="PATCH", path=jobs.id)
    record, other = jobs.create({"Run ID": "x"}), clients.create({"Run ID": "x"})
    clients.update(other["id"], {"Run ID": "y"})
    with pytest.raises(requests.HTTPError):
        jobs.update(record["id"], {"Run ID": "y"})
    assert [fault["struck"] for fault in sandbox.faults()] == [1]
    assert sandbox.counters()["faults"] == {"status": 1}


def test_a_fault_with_a_probability_strikes_now_and_then(jobs: Table, sandbox: Sandbox) -> None:
    sandbox.fault("status", probability=0.5)
    failed = 0
    for _ in range(40):
        try:
            jobs.all()
        except requests.HTTPError:
            failed += 1
    assert 5 < failed < 35
    sandbox.clear_faults()
    assert sandbox.faults() == []
    jobs.all()


def test_latency_goes_with_another_fault(jobs: Table, sandbox: Sandbox) -> None:
    sandbox.fault("latency", latency_ms=1)
    sandbox.fault("reset", count=1)
    with pytest.raises(requests.ConnectionError):
        jobs.all()
    assert jobs.all() == []
    assert sandbox.counters()["faults"] == {"latency": 2, "reset": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "odd"},
        {"kind": "status", "status": 418},
        {"kind": "reset", "count": 0},
        {"kind": "reset", "x": 1},
        {"kind": "reset", "path": 1},
    ],
)
def test_a_fault_that_is_none_is_refused(sandbox: Sandbox, wrong: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError, match="422"):
        sandbox.fault(**wrong)


def test_faulty_answers_do_not_spoil_the_connection(jobs: Table, sandbox: Sandbox) -> None:
    """A client that keeps its connection gets the next answer, not the rest of the faulty one."""
    for kind in ("garbage", "status"):
        sandbox.fault(kind, count=1)
        with pytest.raises((requests.exceptions.JSONDecodeError, requests.HTTPError)):
            jobs.create({"Notes": "n" * 50_000})
        assert jobs.all() == []
