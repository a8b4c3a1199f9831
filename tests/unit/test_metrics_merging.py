"""Merging values, totals of a job, and rates: exact, and the same in any order."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.metrics import Aggregation, Metric, MetricType, Rate, Value

decimals = st.decimals(min_value=0, max_value=Decimal("9" * 20), places=20)


def metric(kind: str, aggregation: str) -> Metric:
    return Metric("A Metric", "a_metric", MetricType(kind), Aggregation(aggregation))


@pytest.mark.parametrize(
    ("kind", "aggregation", "old", "new", "merged"),
    [
        ("integer", "sum", None, 0, 0),
        ("integer", "sum", 40, 2, 42),
        ("integer", "sum", 2**63 - 1, 2**63 - 1, 2**64 - 2),
        ("integer", "min", 3, 2, 2),
        ("integer", "min", 2, 3, 2),
        ("integer", "max", 2, 3, 3),
        ("integer", "max", 3, 2, 3),
        ("integer", "last", 3, 2, 2),
        ("decimal", "sum", Decimal("0.1"), Decimal("0.2"), Decimal("0.3")),
        ("decimal", "sum", Decimal("9" * 20 + ".01"), Decimal("0." + "0" * 30 + "1"), Decimal("9" * 20 + ".01" + "0" * 28 + "1")),
        ("decimal", "max", Decimal("0.1"), Decimal("0.2"), Decimal("0.2")),
        ("datetime", "min", "2025-09-30T14:15:22.000000Z", "2025-09-30T14:15:21.999999Z", "2025-09-30T14:15:21.999999Z"),
        ("datetime", "max", "2025-09-30T14:15:22.000000Z", "2025-09-30T14:15:21.999999Z", "2025-09-30T14:15:22.000000Z"),
        ("text", "last", None, "a", "a"),
        ("text", "last", "b", "a", "a"),
    ],
)
def test_merge(kind: str, aggregation: str, old: Value | None, new: Value, merged: Value) -> None:
    assert metric(kind, aggregation).merge(old, new) == merged


@given(st.lists(st.integers(0, 2**63 - 1) | st.just(0), min_size=1, max_size=5))
def test_integers_merge_the_same_in_any_order(values: list[int]) -> None:
    for aggregation, expected in (("sum", sum(values)), ("min", min(values)), ("max", max(values))):
        for order in permutations(values):
            assert reduce(metric("integer", aggregation).merge, order, None) == expected


@given(st.lists(decimals, min_size=1, max_size=5))
def test_decimal_sums_are_exact_and_written_the_same_in_any_order(values: list[Decimal]) -> None:
    texts = {str(reduce(metric("decimal", "sum").merge, order, None)) for order in permutations(values)}
    assert len(texts) == 1
    assert Fraction(texts.pop()) == sum(map(Fraction, values))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2**63) | decimals), max_size=8))
def test_a_jobs_total_moved_by_each_change_is_the_sum_of_its_clients(changes: list[tuple[int, int | Decimal]]) -> None:
    one = metric("decimal", "sum")
    clients: dict[int, Value] = {}
    total: Value | None = None
    for client, number in changes:
        new = one.normalise(number)
        total = one.shift(total, clients.get(client), new)
        clients[client] = new
    if clients:
        assert total == reduce(one.merge, clients.values(), None)


def test_a_jobs_total_of_integers_stays_an_integer() -> None:
    total = metric("integer", "sum").shift(10, 4, 7)
    assert (type(total), total) == (int, 13)


def test_a_value_that_goes_away_leaves_the_total() -> None:
    assert metric("integer", "sum").shift(10, 4, None) == 6


RATE = Rate("Success Rate of Scoring", "success_rate_of_scoring", "Scored", "Examined")


FAULT = "integrity: Scored exceeds Examined; Success Rate of Scoring is "


@pytest.mark.parametrize(
    ("metrics", "rate", "fault"),
    [
        ({"Scored": 1, "Examined": 4}, Decimal("0.25"), None),
        ({"Scored": 1, "Examined": 3}, Decimal("0.3333333333333333333333333333"), None),
        ({"Scored": 4, "Examined": 4}, Decimal(1), None),
        ({"Scored": 0, "Examined": 4}, Decimal(0), None),
        ({"Examined": 4}, Decimal(0), None),
        ({"Examined": 0}, None, None),
        ({"Scored": 5, "Examined": 4}, Decimal(1), f"{FAULT}shown as 100 %"),
        ({"Scored": Decimal("0.5"), "Examined": Decimal("2.0")}, Decimal("0.25"), None),
        ({"Scored": -1, "Examined": 4}, Decimal(0), "integrity: Scored is below zero; Success Rate of Scoring is shown as 0 %"),
        ({"Scored": 5, "Examined": 0}, None, f"{FAULT}empty"),
        ({"Scored": 5}, None, None),
        ({"Scored": 5, "Examined": -1}, None, f"{FAULT}empty"),
        ({"Scored": "5", "Examined": 4}, None, None),
        ({}, None, None),
        ({"Scored": 2**63 - 2, "Examined": 2**63 - 1}, Decimal("0.9999999999999999998915797828"), None),
    ],
)
def test_rate(metrics: dict[str, object], rate: Decimal | None, fault: str | None) -> None:
    assert RATE.of(metrics) == rate
    assert RATE.fault(metrics) == fault


@given(st.integers(0, 2**63), st.integers(0, 2**63))
def test_a_rate_is_between_nothing_and_all(numerator: int, denominator: int) -> None:
    metrics = {"Scored": numerator, "Examined": denominator}
    rate = RATE.of(metrics)
    assert (RATE.fault(metrics) is not None) is (numerator > denominator)
    assert rate is None if denominator == 0 else 0 <= (rate or 0) <= 1
