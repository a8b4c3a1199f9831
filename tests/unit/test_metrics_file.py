"""A user's metrics and rates in a TOML file: what can be said, and what each fault says."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from contract.errors import SettingsInvalid
from contract.registry import Registry, load_registry
from worker.flush.columns import client_columns, job_columns

Load = Callable[[str | bytes], Registry]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load_text(text: str | bytes) -> Registry:
        path = tmp_path / "metrics.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_registry(path)

    return load_text


EVERYTHING = """
[metrics."Flights Processed"]
type = "integer"
aggregation = "sum"
unit = "flights"
help = "Flights looked at."
tables = ["job"]
work = true
minimum = 1
clients = ["EWR", "JFK"]

[metrics.temperature]
type = "decimal"
aggregation = "max"
minimum = "none"

[metrics."Fuel"]
type = "decimal"
minimum = 0.5

[metrics."Gate"]
type = "text"

[metrics."First Departure"]
type = "datetime"
aggregation = "min"

[metrics."Flights Delayed"]

[metrics."Flights Seen"]
fallback = ["Flights Processed", "Flights Delayed"]

[metrics."Leads Processed"]
help = "Leads, as we count them."
unit = "people"
tables = ["client"]

[metrics.errors]
type = "integer"
aggregation = "sum"
help = "Ours."

[rates."On Time"]
numerator = "flights_delayed"
denominator = "Flights Processed"
tables = ["job", "client"]
help = "Share."

[airtable]
anything = { goes = "here" }
"""


def test_everything_that_can_be_said(load: Load) -> None:
    registry = load(EVERYTHING)
    flights = registry.resolve("flights_processed", "EWR")
    assert flights is registry.resolve("Flights Processed")
    assert (flights.unit, flights.help, flights.tables, flights.work, flights.minimum) == (
        "flights",
        "Flights looked at.",
        {"job"},
        True,
        1,
    )
    assert registry.resolve("Flights Processed", "LGA") is None
    assert (registry.resolve("Temperature").name, registry.resolve("Temperature").minimum) == ("temperature", None)
    assert registry.resolve("Fuel").minimum == Decimal("0.5")
    assert (registry.resolve("Gate").aggregation, registry.resolve("Gate").tables) == ("last", {"client"})
    assert (registry.resolve("Flights Delayed").type, registry.resolve("Flights Delayed").aggregation) == ("integer", "sum")
    assert registry.decimals == {"Apify API Costs", "temperature", "Fuel"}
    assert registry.effective({"Flights Processed": 2, "Flights Delayed": 3})["Flights Seen"] == 5
    assert [(rate.numerator, rate.denominator) for rate in registry.rates_for("job")] == [("Flights Delayed", "Flights Processed")]
    assert len(registry.rates) == 3


def test_a_shipped_metric_keeps_its_place_and_kind_when_overridden(load: Load) -> None:
    registry = load(EVERYTHING)
    leads = registry.metrics[0]
    assert (leads.name, leads.help, leads.unit, leads.tables, leads.work) == (
        "Leads Processed",
        "Leads, as we count them.",
        "people",
        {"client"},
        True,
    )
    assert (registry.resolve("Errors").name, registry.resolve("Errors").help) == ("Errors", "Ours.")
    assert [metric.name for metric in registry.metrics[:21]] == [metric.name for metric in load_registry().metrics]


@pytest.mark.parametrize("kind", ['type = "integer"', 'type = "decimal"', 'type = "datetime"', 'type = "text"'])
def test_a_metric_of_which_the_last_value_counts_is_shown_for_clients_only(load: Load, kind: str) -> None:
    registry = load(f'[metrics."Queue Depth"]\n{kind}\naggregation = "last"')
    assert registry.resolve("Queue Depth").tables == {"client"}
    assert "Queue Depth" not in [column.name for column in job_columns(registry)]
    assert "Queue Depth" in [column.name for column in client_columns(registry)]


@pytest.mark.parametrize("text", ["", "# nothing\n", "[metrics]\n", "[rates]\n", "[airtable]\n"])
def test_a_file_that_says_nothing_adds_nothing(load: Load, text: str) -> None:
    assert load(text).metrics == load_registry().metrics


FAULTS = [
    ('[metrics."X"]\ntyp = "integer"', 'X"', "unknown key 'typ'"),
    ('[metrics."X"]\ntype = "intger"', 'X"', "use integer, decimal, datetime, text"),
    ('[metrics."X"]\ntype = 1', 'X"', "type = 1: it must be a text"),
    ('[metrics."X"]\naggregation = "avg"', 'X"', "use sum, min, max, last"),
    ('[metrics."X"]\ntype = "text"\naggregation = "sum"', 'X"', "which a text cannot have: use last"),
    ('[metrics."X"]\ntype = "datetime"\naggregation = "sum"', 'X"', "use last, max, min"),
    ('[metrics."X"]\ntype = "datetime"', 'X"', "needs aggregation"),
    ('[metrics."X"]\nunit = 1', 'X"', "unit = 1: it must be a text"),
    ('[metrics."X"]\nhelp = true', 'X"', "help = True"),
    ('[metrics."X"]\ntables = "job"', 'X"', "it must be a list of texts"),
    ('[metrics."X"]\ntables = ["jobs"]', 'X"', 'use ["job"], ["client"]'),
    ('[metrics."X"]\ntables = []', 'X"', 'use ["job"], ["client"]'),
    ('[metrics."X"]\ntables = [1]', 'X"', "it must be a list of texts"),
    ('[metrics."X"]\naggregation = "last"\ntables = ["job", "client"]', 'X"', "there is no total for a job"),
    ('[metrics."X"]\ntype = "datetime"\naggregation = "last"\ntables = ["job"]', 'X"', "there is no total for a job"),
    ('[metrics."X"]\ntype = "text"\ntables = ["job"]', 'X"', "there is no total for a job"),
    ('[metrics."Apify Status"]\ntables = ["job"]', 'Apify Status"', "there is no total for a job"),
    (
        '[metrics."X"]\naggregation = "last"\n[rates."R"]\nnumerator = "X"\ndenominator = "Errors"\ntables = ["job"]',
        'R"',
        "numerator = 'X' and \"job\" in tables",
    ),
    ('[metrics."X"]\nwork = "yes"', 'X"', "it must be true or false"),
    ('[metrics."X"]\ntype = "text"\nwork = true', 'X"', "a text counts nothing"),
    ('[metrics."X"]\nminimum = "low"', 'X"', 'use a number, or "none"'),
    ('[metrics."X"]\nminimum = true', 'X"', 'use a number, or "none"'),
    ('[metrics."X"]\nminimum = nan', 'X"', 'use a number, or "none"'),
    ('[metrics."X"]\nminimum = 0.5', 'X"', "needs an integer below 2^63"),
    ('[metrics."X"]\nminimum = 9223372036854775808', 'X"', "needs an integer below 2^63"),
    ('[metrics."X"]\ntype = "text"\nminimum = 0', 'X"', "leave it out"),
    ('[metrics."X"]\nclients = [""]', 'X"', "the client ID ''"),
    ('[metrics."X"]\nclients = " a"', 'X"', "list of texts"),
    ('[metrics."X"]\nfallback = ["Y"]', 'X"', "'Y' as fallback"),
    ('[metrics."X"]\nfallback = ["X"]', 'X"', "'X' as fallback"),
    ('[metrics."X"]\nfallback = ["Total Tokens"]', 'X"', "without a fallback"),
    ('[metrics."X"]\nfallback = ["Apify API Costs"]', 'X"', "same type"),
    ('[metrics."X"]\naggregation = "max"\nfallback = ["Errors"]', 'X"', "aggregation sum"),
    ('[metrics."X y"]\n[metrics.x_y]', 'x_y"', "same name as 'X y'"),
    ('[metrics."LEADS PROCESSED"]', 'LEADS PROCESSED"', "same name as the shipped 'Leads Processed'"),
    ('[metrics."Leads Processed"]\ntype = "decimal"', 'Leads Processed"', "whose type is fixed"),
    ('[metrics."Leads Processed"]\naggregation = "max"', 'Leads Processed"', "whose aggregation is fixed"),
    ('[metrics."Leads Processed"]\nwork = false', 'Leads Processed"', "whose work is fixed"),
    ('[metrics."Total Tokens"]\nfallback = []', 'Total Tokens"', "whose fallback is fixed"),
    ('[metrics."Run ID"]', 'Run ID"', "a column that the tables have anyway"),
    ("[metrics.last_updated]", 'last_updated"', "a column that the tables have anyway"),
    ('[metrics.""]', '[metrics.""]', "is no name"),
    ('[metrics."!?"]', '!?"', "use letters or digits"),
    ('[metrics." x"]', ' x"', "without space around"),
    ('[metrics."a\\nb"]', "a\nb", "in one line"),
    (f'[metrics."{"x" * 101}"]', "xxx", "1 to 100 characters"),
    ("[metrics]\nx = 1", "[metrics]", "must hold tables only"),
    ("metrics = 1", "[metrics]", "must hold tables only"),
    ("[[metrics]]", "[metrics]", "must hold tables only"),
    ("rates = []", "[rates]", "must hold tables only"),
    ('[rates."R"]\nnumerator = "Errors"', 'R"', "needs denominator"),
    ('[rates."R"]\nnumerator = "Nope"\ndenominator = "Errors"', 'R"', "there is no such metric; use one of Leads Processed"),
    ('[rates."R"]\nnumerator = "Errors"\ndenominator = "Start Time"', 'R"', "a datetime cannot be divided"),
    ('[rates."R"]\nnumerator = "Errors"\ndenominator = "Errors"\ncap = true', 'R"', "unknown key 'cap'"),
    ('[rates."Errors"]\nnumerator = "Errors"\ndenominator = "Errors"', 'Errors"', "same name as 'Errors'"),
    ('[rates.post_scoring_success_rate]\nnumerator = "Errors"\ndenominator = "Errors"', "[rates.", "same name as 'Post Scoring"),
    ('[rates."Success Rate"]\nnumerator = "Errors"\ndenominator = "Errors"', 'Success Rate"', "a column that the tables have anyway"),
    ("[metric.x]", "[metric]", "metrics go to"),
    ("x = 1", "[x]", "is unknown"),
    ("[metrics", "metrics.toml", "is no TOML"),
    ("[metrics.x]\n[metrics.x]", "metrics.toml", "is no TOML"),
    (b"\xff\xfe", "metrics.toml", "is no TOML"),
    ("x = " + "[" * 100_000, "metrics.toml", "is no TOML"),
]


@pytest.mark.parametrize(("text", "where", "mend"), FAULTS, ids=[mend for _, _, mend in FAULTS])
def test_every_fault_names_file_table_and_what_to_mend(load: Load, text: str | bytes, where: str, mend: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load(text)
    message = str(caught.value)
    assert "metrics.toml: " in message
    assert where in message
    assert mend in message


def test_the_file_on_the_page_of_metrics_can_be_read(load: Load) -> None:
    page = Path(__file__).parents[2].joinpath("docs/metrics.md").read_text()
    registry = load(page.split("```toml\n")[1].split("```")[0])
    assert registry.resolve("Flights Known").fallback == ("Flights Processed",)
    assert all(metric.name in page for metric in load_registry().metrics)


def test_a_file_that_cannot_be_read_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.toml", tmp_path):
        with pytest.raises(SettingsInvalid, match="cannot be read"):
            load_registry(path)
