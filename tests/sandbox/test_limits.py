"""Rate, lockout, month, sizes."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from pyairtable.api.base import Base
from pyairtable.api.table import Table

from airtable_sandbox import Limits, Sandbox
from airtable_sandbox.errors import ApiError
from airtable_sandbox.limits import Limiter
from airtable_sandbox.storage import Storage

LIMITED = {"errors": [{"error": "RATE_LIMIT_REACHED", "message": "Rate limit exceeded. Please try again later"}]}


class Clock:
    """A clock that stands until it is moved."""

    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limiter(clock: Clock, **limits: Any) -> Limiter:
    return Limiter(Limits(**limits), Storage(":memory:"), clock)


def admitted(limiter: Limiter, base_id: str | None = "appA") -> bool:
    try:
        limiter.admit(base_id)
    except ApiError:
        return False
    return True


def test_five_calls_fit_in_any_second(clock: Clock) -> None:
    limits = limiter(clock)
    for _ in range(40):
        clock.now_s += 0.2
        assert admitted(limits)
    clock.now_s += 0.1
    assert not admitted(limits)


def test_the_sixth_call_locks_the_base_for_30_s_and_only_that_base(clock: Clock) -> None:
    limits = limiter(clock)
    assert [admitted(limits) for _ in range(6)] == [True] * 5 + [False]
    assert admitted(limits, "appB")
    assert admitted(limits, None)
    clock.now_s += 29.9
    assert not admitted(limits)
    clock.now_s += 0.2
    assert admitted(limits)
    assert limits.lockouts == 1


def test_calls_within_the_lockout_do_not_lengthen_it(clock: Clock) -> None:
    limits = limiter(clock)
    for _ in range(400):
        clock.now_s += 0.1
        admitted(limits) and admitted(limits)
    assert limits.lockouts == 2  # one more after the first had run out


def test_fifty_calls_a_second_for_the_token(clock: Clock) -> None:
    limits = limiter(clock)
    assert [admitted(limits, f"app{number // 5}") for number in range(51)] == [True] * 50 + [False]
    assert not admitted(limits, "appZ")


def test_over_http_the_lockout_hits_records_and_meta_of_the_base(base: Base, http: httpx2.Client, sandbox: Sandbox) -> None:
    sandbox.set_limits(calls_per_s=5, lockout_s=60)
    sandbox.reset_limits()
    tables = f"/v0/meta/bases/{base.id}/tables"
    assert [http.get(tables).status_code for _ in range(6)] == [200] * 5 + [429]
    refused = http.get(f"/v0/{base.id}/Nope")
    assert (refused.status_code, refused.json()) == (429, LIMITED)
    assert "retry-after" not in refused.headers
    assert http.get("/v0/meta/whoami").status_code == 200
    assert http.get(f"/_sandbox{tables}").status_code == 200

    counters = sandbox.counters()
    assert (counters["lockouts"], counters["rate_limited"], counters["most_calls_in_one_s"]) == (1, 2, 7)
    sandbox.reset_limits()
    assert http.get(tables).status_code == 200


def test_pyairtable_sees_a_429_as_an_http_error(jobs: Table, sandbox: Sandbox, refusal: Any) -> None:
    sandbox.set_limits(calls_per_s=0)
    assert refusal(lambda: jobs.create({"Run ID": "x"})) == (429, LIMITED)
    assert sandbox.records(jobs.id, jobs.base.id) == []


def test_the_lockout_ends(jobs: Table, sandbox: Sandbox, http: httpx2.Client) -> None:
    path = f"/v0/{jobs.base.id}/{jobs.id}"
    sandbox.set_limits(calls_per_s=0, lockout_s=0.1)
    assert http.get(path).status_code == 429
    sandbox.set_limits(calls_per_s=100_000)
    while (status := http.get(path).status_code) == 429:  # bounded by the test's own timeout
        pass
    assert status == 200


def test_a_spent_month_blocks_records_but_not_meta(jobs: Table, sandbox: Sandbox, refusal: Any) -> None:
    sandbox.set_limits(calls_per_month=2)
    jobs.all()
    jobs.all()
    status, body = refusal(jobs.all)
    assert (status, body["errors"][0]["error"]) == (429, "PUBLIC_API_BILLING_LIMIT_EXCEEDED")
    assert jobs.base.schema(force=True).tables


def test_refused_calls_do_not_use_up_the_month(jobs: Table, sandbox: Sandbox, refusal: Any) -> None:
    sandbox.set_limits(calls_per_month=1, calls_per_s=0)
    assert refusal(jobs.all)[1] == LIMITED
    sandbox.set_limits(calls_per_s=100)
    sandbox.set_limits(lockout_s=0)
    sandbox.reset_limits()
    assert jobs.all() == []


def test_bodies_and_addresses_have_a_size(jobs: Table, http: httpx2.Client, sandbox: Sandbox) -> None:
    path = f"/v0/{jobs.base.id}/{jobs.id}"
    sandbox.set_limits(body_bytes=1000)
    assert http.post(path, json={"fields": {"Notes": "x" * 1000}}).status_code == 413
    assert http.get(path, params={"filterByFormula": "'" + "x" * 16_000 + "'"}).status_code == 414
    assert http.get(path).json() == {"records": []}


def test_a_limit_that_is_none_is_refused(sandbox: Sandbox) -> None:
    for wrong in ({"nope": 1}, {"calls_per_s": -1}, {"lockout_s": None}):
        with pytest.raises(RuntimeError, match="422"):
            sandbox.set_limits(**wrong)
