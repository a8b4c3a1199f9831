"""Values normalised by type: what is a value, what is refused with a reason (spec §4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import ValueRejected
from contract.metrics import Aggregation, Metric, MetricType, Value
from contract.shown import shown


def metric(kind: str, **fields: Any) -> Metric:
    aggregation = {"datetime": "max", "text": "last"}.get(kind, "sum")
    return Metric("A Metric", "a_metric", MetricType(kind), Aggregation(aggregation), **fields)


INTEGER, DECIMAL, DATETIME, TEXT = (metric(kind) for kind in ("integer", "decimal", "datetime", "text"))


def pairs(table: dict[str, list[object]]) -> list[tuple[object, str]]:
    return [(value, reason) for reason, values in table.items() for value in values]


def exactly(value: Value) -> tuple[type, str]:
    """Type and digits: 1, True and 1.0 are equal, but not the same."""
    return type(value), str(value)


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        (0, 0), (42, 42), (2**63 - 1, 2**63 - 1), ("42", 42), (" 42\n", 42), ("+42", 42), ("007", 7), ("0", 0), ("-0", 0),
        ("1,234", 1234), ("12,345,678", 12345678), ("1,234.0", 1234), ("42.0", 42), ("42.", 42), (42.0, 42), (0.0, 0), (-0.0, 0),
        (2.0**53, 2**53), ("1e3", 1000), ("12.50e1", 125), (Decimal("42.00"), 42), (Decimal("4.2E+1"), 42),
        ("9223372036854775807", 2**63 - 1), ("9,223,372,036,854,775,807", 2**63 - 1), (Decimal(2**63 - 1), 2**63 - 1),
        ("0" * 150 + "7", 7),
    ],
)  # fmt: skip
def test_integer(value: object, normal: int) -> None:
    assert exactly(INTEGER.normalise(value)) == (int, str(normal))


NO_INTEGERS: dict[str, list[object]] = {
    "is null": [None],
    "is empty": ["", " \t"],
    "is a boolean": [True, False],
    "is no number": ["not-a-number", "true", "NaN", "Infinity", "12abc", "1,2,3", "1,23", ",123", "1234,567", "1,234,56",
        "1 234", "1.234.567", "0x10", "1_000", "--1", "٤٢", "４２", "$42", "42%", "1e", [], [42], {}, b"42", ..., 1j,
        "1e1000000"],
    "is a fraction": [1.5, "1.5", "1,234.5", Decimal("0.1"), "1e-3"],
    "not finite": [float("nan"), float("inf"), float("-inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")],
    "is negative": [-1, "-1", -1.0, "-1,234"],
    "64 bits": [2**63, -(2**63) - 1, "9223372036854775808", 10**5000, "1e19"],
    "too large to be exact": [2.0**54, 1e300],
    "out of range": ["1e400", Decimal("1e999999"), Decimal("1e-999999")],
    "too many characters": ["9" * 201, "9" * 1_000_000, "x" * 1_000_000],
}  # fmt: skip


@pytest.mark.parametrize(("value", "reason"), pairs(NO_INTEGERS), ids=shown)
def test_integer_refuses(value: object, reason: str) -> None:
    with pytest.raises(ValueRejected, match=reason) as caught:
        INTEGER.normalise(value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (3, "3"), ("1.20", "1.20"), (" 1.20 ", "1.20"), (".5", "0.5"), ("5.", "5"),
        ("1,234.56", "1234.56"), ("+0.1", "0.1"),
        (0.1, "0.1"), (0.1 + 0.2, "0.30000000000000004"), (1e-7, "1E-7"),
        (1e19, "10000000000000000000"), ("1e3", "1000"), ("1.5E-2", "0.015"),
        (Decimal("2.500"), "2.500"), (Decimal("1E+3"), "1000"), (-0.0, "0"), ("-0.00", "0"),
        ("99999999999999999999.99", "99999999999999999999.99"),
        (2**63, "9223372036854775808"),
    ],
)  # fmt: skip
def test_decimal_is_exact(value: object, text: str) -> None:
    assert exactly(DECIMAL.normalise(value)) == (Decimal, text)


NO_DECIMALS: dict[str, list[object]] = {
    "is null": [None],
    "is empty": [""],
    "is a boolean": [True],
    "is no number": ["$1.20", "1.20 USD", "1.234,56", "1,2", ".", "e5", "NaN", "inf", "١.٢", [1.2], {}, "1e1000000"],
    "not finite": [float("nan"), float("inf"), Decimal("NaN1" + "2" * 40)],
    "is negative": [-0.01, "-0.01", Decimal("-1e-60")],
    "too large": [10**20, 10**5000],
    "out of range": ["1e20", 1e300, 5e-324, "1e999", Decimal("1e1000000"), "0." + "1" * 61],
    "too many characters": ["0." + "1" * 500],
}  # fmt: skip


@pytest.mark.parametrize(("value", "reason"), pairs(NO_DECIMALS), ids=shown)
def test_decimal_refuses(value: object, reason: str) -> None:
    with pytest.raises(ValueRejected, match=reason) as caught:
        DECIMAL.normalise(value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2025-09-30T14:15:22Z", "2025-09-30T14:15:22.000000Z"),
        ("2025-09-30T14:15:22.4Z", "2025-09-30T14:15:22.400000Z"),
        ("2025-09-30T14:15:22,123456789Z", "2025-09-30T14:15:22.123456Z"),
        (" 2025-09-30t14:15:22z ", "2025-09-30T14:15:22.000000Z"),
        ("2025-09-30 14:15:22", "2025-09-30T14:15:22.000000Z"),
        ("2025-09-30T14:15", "2025-09-30T14:15:00.000000Z"),
        ("2025-09-30T14", "2025-09-30T14:00:00.000000Z"),
        ("2025-09-30T16:15:22+02:00", "2025-09-30T14:15:22.000000Z"),
        ("2025-09-30T09:15:22-0500", "2025-09-30T14:15:22.000000Z"),
        ("2025-09-30T16:15:22+02", "2025-09-30T14:15:22.000000Z"),
        ("20250930T141522Z", "2025-09-30T14:15:22.000000Z"),
        ("2025-W40-2T14:15:22Z", "2025-09-30T14:15:22.000000Z"),
        ("2025-273T10:00:00Z", "2025-09-30T10:00:00.000000Z"),
        ("2024366T10", "2024-12-31T10:00:00.000000Z"),
        ("2025-09-30T24:00:00Z", "2025-10-01T00:00:00.000000Z"),
        ("2025-12-31T24", "2026-01-01T00:00:00.000000Z"),
        ("2025-09-30T14:15.5Z", "2025-09-30T14:15:30.000000Z"),
        ("2025-09-30T14,25+02:00", "2025-09-30T12:15:00.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        (datetime(2025, 9, 30, 16, 15, 22, 5, tzinfo=timezone(timedelta(hours=2))), "2025-09-30T14:15:22.000005Z"),
        (datetime(2025, 9, 30, 14, 15, 22), "2025-09-30T14:15:22.000000Z"),  # noqa: DTZ001  # a time without a zone is UTC
    ],
)
def test_any_iso_time_becomes_utc_of_fixed_width(value: object, text: str) -> None:
    assert DATETIME.normalise(value) == text


NO_TIMES: dict[str, list[object]] = {
    "is null": [None],
    "is empty": ["", "  "],
    "no ISO 8601": ["2025-09-30", "14:15:22", "30/09/2025 14:15", "yesterday", "Sep 30 2025 14:15", "1717146242405",
        1717146242405, 1717146242.4, True, [], "２０２５-09-30T14:15:22Z", "2025-09-30T14:15:22 UTC",
        "2025-09-30T14:15:22Z" + "0" * 10**6],
    "exists": ["2025-02-29T12:00:00Z", "2025-13-01T12:00:00Z", "2025-09-30T25:00:00Z", "2025-09-30T14:15:60Z",
        "2025-09-30T24:00:01Z", "2025-09-30T24:00:00.5Z", "2025-366T10:00:00Z", "2024-000T10:00:00Z", "9999-12-31T24:00:00Z",
        "2025-09-30T14:60:00Z", "2025-09-30T14:15:22+25:00", "0000-01-01T00:00:00Z"],
    "outside": ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"],
}  # fmt: skip


@pytest.mark.parametrize(("value", "reason"), pairs(NO_TIMES), ids=shown)
def test_datetime_refuses(value: object, reason: str) -> None:
    with pytest.raises(ValueRejected, match=reason) as caught:
        DATETIME.normalise(value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("SUCCEEDED", "SUCCEEDED"), ("  a b \n", "a b"), ("Zoë\t王\n🙂", "Zoë\t王\n🙂"), ("x" * 10_001, "x" * 10_000), ("=1+1", "=1+1"),
        (42, "42"), (0, "0"),
        ("a\x00b\x1bc", "abc"), ("a\ud800b", "a?b"), ("é" * 10_000, "é" * 10_000),
    ],
    ids=lambda value: ascii(value)[:20],
)  # fmt: skip
def test_text(value: object, text: str) -> None:
    assert exactly(TEXT.normalise(value)) == (str, text)


NO_TEXTS: list[object] = [None, "", " \n\t ", "\x00", True, 1.5, Decimal(1), [], ["a"], {}, b"a", ..., 2**63, 10**5000]


@pytest.mark.parametrize("value", NO_TEXTS, ids=shown)
def test_text_refuses(value: object) -> None:
    with pytest.raises(ValueRejected):
        TEXT.normalise(value)


@pytest.mark.parametrize(
    ("minimum", "value", "reason"),
    [
        (None, -5, None),
        (None, -(2**63), None),
        (-5, -5, None),
        (-5, -6, "below -5"),
        (5, 5, None),
        (5, 4, "below 5"),
        (1, -1, "below 1"),
        (1, 0, "below 1"),
    ],
)
def test_minimum(minimum: int | None, value: int, reason: str | None) -> None:
    for kind in ("integer", "decimal"):
        if reason is None:
            assert metric(kind, minimum=minimum).normalise(value) == value
        else:
            with pytest.raises(ValueRejected, match=reason):
                metric(kind, minimum=minimum).normalise(value)


numberish = st.from_regex(r"\A[-+0-9.,eE ]{0,30}\Z")
jsonish = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.from_regex(r"\A[-+0-9.,eE ]{0,30}\Z"),
        st.decimals(),
        st.binary(),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=5,
)


@given(jsonish)
def test_normalise_raises_nothing_but_value_rejected_and_is_idempotent(value: object) -> None:
    for one in (INTEGER, DECIMAL, DATETIME, TEXT):
        try:
            normal = one.normalise(value)
        except ValueRejected:
            continue
        assert exactly(one.normalise(normal)) == exactly(normal)


@given(st.integers(0, 2**63 - 1))
def test_integers_are_exact_to_two_to_the_63rd(number: int) -> None:
    for spelling in (number, str(number), f"{number:,}", Decimal(number)):
        assert exactly(INTEGER.normalise(spelling)) == (int, str(number))


zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.builds(
    lambda microseconds, zone: (datetime(1, 1, 3, tzinfo=UTC) + timedelta(microseconds=microseconds)).astimezone(zone),
    st.integers(0, 9_998 * 365 * 86_400 * 1_000_000) | st.integers(0, 5_000_000),
    zones,
)


@given(st.lists(moments, min_size=2, max_size=6))
def test_order_of_texts_is_order_of_times(times: list[datetime]) -> None:
    texts = [str(DATETIME.normalise(time)) for time in times]
    assert {len(text) for text in texts} == {27}
    assert [datetime.fromisoformat(text) for text in sorted(texts)] == sorted(times)
    assert [DATETIME.normalise(time.isoformat()) for time in times] == texts
