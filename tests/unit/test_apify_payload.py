"""What is read of Apify's payloads, and what each event adds to what was told before it."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.gateway.problem import Problem
from producers.gateway.strict_json import JsonRefused, strict_json
from producers.gateway.webhooks.apify.payload import Kind, read_event
from producers.gateway.webhooks.apify.usage import Usage, _above

RUN = "aB3dE5fG7hJ9kL1mN"


def payload(**changed: Any) -> dict[str, Any]:
    return {"eventType": "ACTOR.RUN.SUCCEEDED", "eventData": {"actorId": "a", "actorRunId": RUN}} | changed


@pytest.mark.parametrize("name", ["cost", "apify_api_costs", "apifyApiCosts", "resource"])
@pytest.mark.parametrize("written", ["0.1", "0.10000000000000000000000000001", "1e-7", "12345678901234567.89", '"0.30"', '"1,234.5"', "3"])
def test_costs_keep_every_digit_as_number_and_as_text(name: str, written: str) -> None:
    value = written if name != "resource" else f'{{"usageTotalUsd": {written}}}'
    text = f'{{"eventType": "ACTOR.RUN.SUCCEEDED", "eventData": {{"actorRunId": "{RUN}"}}, "{name}": {value}}}'
    event = read_event(strict_json(text.encode(), exact=True))
    assert event is not None
    assert event.cost == Decimal(written.strip('"').replace(",", ""))


def test_the_template_wins_over_apifys_own_cost() -> None:
    event = read_event(payload(cost="0.5", resource={"id": RUN, "usageTotalUsd": Decimal("0.4")}))
    assert event is not None
    assert event.cost == Decimal("0.5")


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"eventType": None}, "eventType", "is None, none of ACTOR.RUN.CREATED"),
        ({"eventType": 7}, "eventType", "is no text: 7"),
        ({"eventType": "ACTOR.RUN.DONE"}, "eventType", "none of"),
        ({"eventType": "SUCCEEDED"}, "eventType", "none of"),
        ({"eventData": None}, "eventData.actorRunId", "is needed"),
        ({"eventData": [RUN]}, "eventData", "is no JSON object"),
        ({"eventData": {"actorRunId": 7}}, "eventData.actorRunId", "is no text: 7"),
        ({"eventData": {"actorRunId": " "}}, "eventData.actorRunId", "is needed"),
        ({"eventData": {"actorRunId": "x" * 201}}, "eventData.actorRunId", "at most 200"),
        ({"resource": {"id": "another"}}, "resource.id", "contradicts eventData.actorRunId"),
        ({"resource": "text"}, "resource", "is no JSON object"),
        ({"createdAt": 1758000000}, "createdAt", "is no ISO 8601 time"),
        ({"createdAt": "yesterday"}, "createdAt", "is no ISO 8601 date"),
        ({"resource": {"startedAt": "1999-01-01T00:00:00Z"}}, "resource.startedAt", "outside the years 2000 to 2099"),
        ({"resource": {"status": 1}}, "resource.status", "is no text: 1"),
        ({"posts_harvested": "many"}, "posts_harvested", "is no number"),
        ({"posts_harvested": ""}, "posts_harvested", "is empty"),
        ({"posts_harvested": 1.5}, "posts_harvested", "is a fraction"),
        ({"posts_harvested": True}, "posts_harvested", "is a boolean"),
        ({"posts_harvested": -1}, "posts_harvested", "is negative"),
        ({"posts_harvested": {}}, "posts_harvested", "is no number"),
        ({"posts_harvested": 1, "postsHarvested": 2}, "postsHarvested", "contradicts posts_harvested"),
        ({"cost": "free"}, "cost", "is no number"),
        ({"cost": "-0.1"}, "cost", "is negative"),
        ({"cost": "1e30"}, "cost", "is out of range"),
        ({"resource": {"usageTotalUsd": False}}, "resource.usageTotalUsd", "is a boolean"),
        ({"run_id": 250930}, "run_id", "is no text"),
        ({"client_id": ["acme"]}, "client_id", "is no text"),
        ({"client_id": "a", "clientId": "b"}, "clientId", "contradicts client_id"),
    ],
)
def test_wrong_types_are_refused_by_the_fields_name(changed: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(Problem) as problem:
        read_event(payload(**changed))
    assert problem.value.status == 422
    assert [(fault["field"], reason in fault["reason"]) for fault in problem.value.errors] == [(field, True)]
    assert field in problem.value.detail


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(Problem) as problem:
        read_event({"eventType": 1, "cost": [], "posts_harvested": "x"})
    assert {fault["field"] for fault in problem.value.errors} == {"eventType", "eventData.actorRunId", "cost", "posts_harvested"}


@pytest.mark.parametrize("body", [None, [], "text", 7, [payload()]])
def test_what_is_no_object(body: Any) -> None:
    with pytest.raises(Problem):
        read_event(body)


@pytest.mark.parametrize("number", ["1e9999999999999999999", "1e-9999999999999999999"])
def test_numbers_beyond_all_numbers_are_no_json(number: str) -> None:
    assert strict_json(b"[1.50, 1e-400]", exact=True) == [Decimal("1.50"), Decimal("1e-400")]
    with pytest.raises(JsonRefused):
        strict_json(f"[{number}]".encode(), exact=True)


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.text()
    | st.sampled_from(["2025-09-30T14:15:22Z", "9999-12-31T23:59:59-14:00"])
)
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6)
_RESOURCE = st.dictionaries(st.sampled_from(["id", "startedAt", "finishedAt", "status", "statusMessage", "usageTotalUsd"]), _VALUES)
_VARIABLES = st.dictionaries(st.sampled_from(["createdAt", "run_id", "clientId", "posts_harvested", "cost", "eventData", "mine"]), _VALUES)


@given(kind=st.sampled_from(Kind), resource=_RESOURCE | _VALUES, variables=_VARIABLES)
def test_whatever_is_sent_is_read_or_refused_by_name(kind: Kind, resource: Any, variables: dict[str, Any]) -> None:
    try:
        event = read_event(payload(eventType=f"ACTOR.RUN.{kind}", resource=resource) | variables)
    except Problem as problem:
        told = problem
    else:
        assert event is not None
        assert event.kind is kind
        return
    assert told.errors
    assert told.response().status_code == 422


@pytest.mark.parametrize("event_type", ["TEST", "ACTOR.BUILD.SUCCEEDED"])
def test_what_is_about_no_run(event_type: str) -> None:
    assert read_event({"eventType": event_type}) is None


def test_null_and_blank_template_variables_are_absent() -> None:
    event = read_event(payload(run_id=None, runId="", client_id=" ", posts_harvested=None, cost=None, resource=None, createdAt=None))
    assert event is not None
    assert (event.run_id, event.client, event.posts, event.cost, event.at) == (None, None, None, None, None)
    assert (event.status, event.identity) == ("SUCCEEDED", f"{RUN}:ACTOR.RUN.SUCCEEDED")


@pytest.mark.parametrize("kind", Kind)
def test_without_createdat_the_run_says_when(kind: Kind) -> None:
    times = {"startedAt": "2025-09-30T10:00:00Z", "finishedAt": "2025-09-30T11:00:00+01:00"}
    event = read_event(payload(eventType=f"ACTOR.RUN.{kind}", resource=times))
    assert event is not None
    told = None if event.at is None else event.at.isoformat()
    wanted = "2025-09-30T10:00:00+00:00"
    assert told == (None if kind is Kind.RESURRECTED else wanted)
    assert (event.finished is not None) is kind.ends


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_any_order_the_sum_of_what_is_added_is_the_highest_told(order: tuple[int, ...]) -> None:
    told = [Usage("FAILED", 3, Decimal("0.1")), Usage("RESURRECTED", None, Decimal("0.1")), Usage("SUCCEEDED", 10, Decimal("0.3"))]
    kept = [told[number] for number in order]
    added = [_above([*kept, kept[0]], usage.kind) for usage in kept]
    assert sum(one.posts or 0 for one in added) == 10
    assert sum(one.cost or 0 for one in added) == Decimal("0.3")
    assert next(one for one, usage in zip(added, kept, strict=True) if usage.kind == "RESURRECTED").posts is None
