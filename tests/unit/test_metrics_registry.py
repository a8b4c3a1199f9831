"""The shipped metrics, and finding them by name (spec §4)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.metrics import Value
from contract.registry import Registry, load_registry
from contract.snake_case import snake_case

SUMMED_INTEGERS = {
    "Leads Processed": True,
    "Posts Processed": True,
    "Profiles Examined for Scoring": True,
    "Profiles Successfully Scored": True,
    "Profiles Submitted for Post Harvesting": True,
    "Total Posts Harvested": True,
    "Posts Examined for Scoring": True,
    "Posts Successfully Scored": True,
    "Leads Skipped": False,
    "Errors": False,
    "Profile Scoring Tokens": False,
    "Post Scoring Tokens": False,
    "Prompt Tokens": False,
    "Completion Tokens": False,
    "Total Tokens": False,
}
OTHERS = {
    "Apify API Costs": ("decimal", "sum"),
    "Start Time": ("datetime", "min"),
    "End Time": ("datetime", "max"),
    "Status": ("text", "last"),
    "Apify Run ID": ("text", "last"),
    "Apify Status": ("text", "last"),
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


def test_shipped_metrics_are_those_of_the_table_in_its_order(registry: Registry) -> None:
    expected = dict.fromkeys(SUMMED_INTEGERS, ("integer", "sum")) | OTHERS
    assert {metric.name: (metric.type, metric.aggregation) for metric in registry.metrics} == expected
    assert [metric.name for metric in registry.metrics] == list(expected)
    assert all(metric.help for metric in registry.metrics)
    assert all(metric.unit for metric in registry.metrics if metric.type != "text")


def test_examined_processed_harvested_submitted_and_scored_are_work(registry: Registry) -> None:
    assert registry.work_names == {name for name, work in SUMMED_INTEGERS.items() if work}


def test_metrics_by_what_they_are(registry: Registry) -> None:
    assert registry.decimals == {"Apify API Costs"}
    assert registry.summed == {*SUMMED_INTEGERS, "Apify API Costs"}


def test_jobs_show_every_metric_that_is_not_text(registry: Registry) -> None:
    assert registry.for_table("client") == registry.metrics
    assert [metric.name for metric in registry.for_table("job")] == [metric.name for metric in registry.metrics if metric.type != "text"]


def test_shipped_rates(registry: Registry) -> None:
    assert [(rate.name, rate.numerator, rate.denominator) for rate in registry.rates] == [
        ("Profile Scoring Success Rate", "Profiles Successfully Scored", "Profiles Examined for Scoring"),
        ("Post Scoring Success Rate", "Posts Successfully Scored", "Posts Examined for Scoring"),
    ]
    assert registry.rates_for("client") == registry.rates
    assert registry.rates_for("job") == ()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Leads Processed", "Leads Processed"),
        ("leads_processed", "Leads Processed"),
        ("LEADS PROCESSED", "Leads Processed"),
        ("Leads_Processed", "Leads Processed"),
        (" leads  processed ", "Leads Processed"),
        ("leads-processed", "Leads Processed"),
        ("apify_api_costs", "Apify API Costs"),
        ("status", "Status"),
        ("leadsProcessed", None),
        ("Leads", None),
        ("", None),
        ("\x00", None),
        ("\ud800", None),
        ("x" * 100_000, None),
    ],
)
def test_a_metric_is_found_by_display_name_or_snake_case(registry: Registry, name: str, found: str | None) -> None:
    metric = registry.resolve(name)
    assert (metric and metric.name) == found
    assert registry.resolve(name, "Jane") is metric


def test_names_as_they_are_written_need_one_look_up(registry: Registry) -> None:
    for metric in registry.metrics:
        assert registry.by_any_name[metric.name] is registry.by_any_name[metric.key] is metric


@pytest.mark.parametrize(
    ("name", "key"),
    [("Apify API Costs", "apify_api_costs"), ("CO₂ (kg)", "co₂_kg"), ("Größe", "größe"), ("a__b", "a_b"), ("_", ""), ("!?", "")],
)
def test_snake_case(name: str, key: str) -> None:
    assert snake_case(name) == key == snake_case(key)


@pytest.mark.parametrize(
    ("metrics", "total"),
    [
        ({"Profile Scoring Tokens": 3, "Post Scoring Tokens": 4}, 7),
        ({"Profile Scoring Tokens": 3}, 3),
        ({"Post Scoring Tokens": 0}, 0),
        ({"Profile Scoring Tokens": 3, "Total Tokens": 10}, 10),
        ({"Profile Scoring Tokens": 3, "Total Tokens": 0}, 0),
        ({"Prompt Tokens": 3, "Leads Processed": 1}, None),
        ({}, None),
    ],
)
def test_total_tokens_fall_back_to_their_parts_only_if_never_reported(
    registry: Registry, metrics: dict[str, Value], total: int | None
) -> None:
    before = dict(metrics)
    effective = registry.effective(metrics)
    assert effective.get("Total Tokens") == total
    assert {**effective, **metrics} == effective
    assert metrics == before


@pytest.mark.parametrize(
    ("metrics", "worked"),
    [
        ({}, False),
        ({"Leads Processed": 0}, False),
        ({"Profile Scoring Tokens": 5, "Leads Skipped": 5, "Errors": 5, "Apify API Costs": Decimal(5)}, False),
        ({"Leads Processed": 0, "Posts Examined for Scoring": 1}, True),
    ],
)
def test_work_is_a_work_metric_above_zero(registry: Registry, metrics: dict[str, Value], worked: bool) -> None:
    assert registry.did_work(metrics) is worked


@given(st.text())
def test_looking_up_any_name_never_raises(name: str) -> None:
    metric = load_registry_once.resolve(name)
    assert metric is None or snake_case(name) == metric.key


load_registry_once = load_registry()
