"""One sandbox for the whole run with limits out of the way; each test has a base of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from pyairtable import Api
from pyairtable.api.base import Base
from pyairtable.api.table import Table
from requests import HTTPError

from airtable_sandbox import Limits, Sandbox

TOKEN = "patSandboxTest"
FREE = Limits(calls_per_s=100_000, token_calls_per_s=100_000, lockout_s=0.2)

DATE_TIME = {"timeZone": "utc", "dateFormat": {"name": "iso"}, "timeFormat": {"name": "24hour"}}
FIELDS: list[dict[str, Any]] = [
    {"name": "Run ID", "type": "singleLineText"},
    {"name": "Status", "type": "singleSelect", "options": {"choices": [{"name": "Running"}, {"name": "Completed"}]}},
    {"name": "Tags", "type": "multipleSelects", "options": {"choices": [{"name": "red"}, {"name": "blue"}]}},
    {"name": "Leads", "type": "number", "options": {"precision": 0}},
    {"name": "Rate", "type": "percent", "options": {"precision": 1}},
    {"name": "Cost", "type": "currency", "options": {"precision": 4, "symbol": "$"}},
    {"name": "Done", "type": "checkbox", "options": {"icon": "check", "color": "greenBright"}},
    {"name": "Start Time", "type": "dateTime", "options": DATE_TIME},
    {"name": "End Time", "type": "dateTime", "options": DATE_TIME},
    {"name": "Day", "type": "date", "options": {"dateFormat": {"name": "iso"}}},
    {"name": "Notes", "type": "multilineText"},
    {"name": "Link", "type": "url"},
    {"name": "Mail", "type": "email"},
]


@pytest.fixture(scope="session")
def _shared() -> Iterator[Sandbox]:
    with Sandbox(TOKEN, limits=FREE) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_shared: Sandbox) -> Iterator[Sandbox]:
    """No faults, no counts, no lockout at the start of each test."""
    _shared.clear_faults()
    _shared.set_limits(calls_per_s=100_000, token_calls_per_s=100_000, lockout_s=0.2, calls_per_month=None, body_bytes=10_000_000)
    _shared.reset_limits()
    _shared.reset_counters()
    yield _shared
    _shared.clear_faults()


@pytest.fixture
def api(sandbox: Sandbox) -> Api:
    return Api(sandbox.token, endpoint_url=sandbox.url, timeout=(5, 5), retry_strategy=None)


@pytest.fixture
def base(sandbox: Sandbox, api: Api) -> Base:
    return api.base(sandbox.add_base("Test"))


@pytest.fixture
def jobs(base: Base) -> Table:
    """A table with a field of every type that the API can create."""
    return base.create_table("Job Tracking", FIELDS)


@pytest.fixture
def clients(base: Base, jobs: Table) -> Table:
    """A table whose records link to `jobs`."""
    link = {"name": "Job", "type": "multipleRecordLinks", "options": {"linkedTableId": jobs.id}}
    return base.create_table("Client Run Results", [{"name": "Run ID", "type": "singleLineText"}, link])


@pytest.fixture
def http(sandbox: Sandbox) -> Iterator[httpx2.Client]:
    """Raw calls with the token, for what pyairtable never sends."""
    with httpx2.Client(base_url=sandbox.url, headers={"Authorization": f"Bearer {sandbox.token}"}) as client:
        yield client


Refusal = Callable[[Callable[[], object]], tuple[int, Any]]


@pytest.fixture
def refusal() -> Refusal:
    """`refusal(call)`: the status and error object of a pyairtable call that must be refused."""

    def refused(call: Callable[[], object]) -> tuple[int, Any]:
        with pytest.raises(HTTPError) as caught:
            call()
        response = caught.value.response
        assert response is not None
        body = response.json()
        return response.status_code, body.get("error", body)

    return refused
