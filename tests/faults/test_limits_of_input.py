"""Fault: numbers at their limits and hostile text. What cannot be used is set aside alone; what is accepted arrives as it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract.errors import RunIdInvalid
from contract.link import Link
from contract.settings import Settings
from faults.producers.hostile import CLIENTS, COUNTS, REFUSED_CLIENTS, TEXTS
from faults.producers.limits import Way, whole_way
from tests.building import RUN, Ledger, wire

ROW_BYTES = 600_000
"""A row's bound: three texts of 100 lines, 100 unknown metrics, skips by reason, and the rest."""


@pytest.fixture
def way(redis_url: str, make_settings: Callable[..., Settings], tmp_path: Path) -> Iterator[Way]:
    link = Link(redis_url, name="test")
    link.open()
    with whole_way(redis_url, link, make_settings, tmp_path) as way:
        yield way
    link.close()


def update(way: Way, client: str = "a", **data: Any) -> bool:
    return way.publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": client, **data})


def raw(data: str, *, kind: str = "client.metrics.updated", subject: str = f"{RUN}-a", **attributes: str) -> bytes:
    """An event whose data is any JSON text."""
    event = {"specversion": "1.0", "id": "x1", "source": "/hostile", "type": kind, "subject": subject} | attributes
    return json.dumps(event).encode()[:-1] + b',"data":' + data.encode() + b"}"


def size(ledger: Ledger, client: str | None = "a") -> int:
    return len(msgspec.json.encode(ledger[client]))


def test_client_ids_of_any_script_stand_in_airtable_verbatim(way: Way) -> None:
    for client in CLIENTS:
        assert update(way, client, metrics={"leads_processed": 3})
    way.fold()
    assert way.flush() == "clean"
    records = way.records("Client Run Results")
    assert {record["Client ID"]: record["Leads Processed"] for record in records.values()} == dict.fromkeys(CLIENTS, 3)
    assert set(records) == {f"{RUN}-{client}" for client in CLIENTS}
    assert way.records("Job Tracking")[RUN]["Leads Processed"] == 3 * len(CLIENTS)
    assert way.reader.dead() == 0


@pytest.mark.parametrize("client", REFUSED_CLIENTS, ids=ascii)
def test_a_client_id_that_can_never_count_is_refused_at_the_call(way: Way, client: str) -> None:
    with pytest.raises(RunIdInvalid):
        update(way, client, metrics={"leads_processed": 1})
    assert way.publisher.pending == 0


def test_hostile_texts_stand_in_airtable_but_for_control_characters(way: Way) -> None:
    for number, text in enumerate(TEXTS):
        update(way, f"c{number}", note=text, error=text, client_name="name", progress={"operation": text, "state": "done"})
    way.fold()
    assert way.flush() == "clean"
    records = way.records("Client Run Results")
    for number, text in enumerate(TEXTS):
        shown = "".join(letter if letter in "\n\t" or (letter >= " " and letter != "\x7f") else " " for letter in text)
        record = records[f"{RUN}-c{number}"]
        for column in ("System Notes", "Error Details", "Progress Log"):
            assert shown in record[column], (column, text)


def test_numbers_at_their_limits_are_exact_or_set_aside_alone(way: Way) -> None:
    for value, _ in COUNTS:
        assert update(way, metrics={"prompt_tokens": value, "leads_processed": 1})
    update(way, metrics={"apify_api_costs": "99999999999999999999.000000000000000000001"})
    update(way, metrics={"apify_api_costs": "1e20"})
    way.fold()
    row = way.rows()["a"]
    assert row.metrics["Prompt Tokens"] == sum(adds for _, adds in COUNTS if adds)
    assert row.metrics["Leads Processed"] == len(COUNTS)
    assert str(row.metrics["Apify API Costs"]) == "99999999999999999999.000000000000000000001"
    refused = sum(adds is None for _, adds in COUNTS)
    assert way.reader.counters()["dead_value"] == way.reader.dead() == refused + 1
    assert way.flush() == "clean"
    assert float(way.records("Client Run Results")[f"{RUN}-a"]["Prompt Tokens"]) == float(row.metrics["Prompt Tokens"])


def test_ten_thousand_metrics_in_one_event_are_counted_kept_apart_and_bounded(way: Way) -> None:
    assert update(way, metrics={"leads_processed": 2, **{f"metric {number}": number for number in range(10_000)}})
    assert update(way, "b", metrics={"leads_processed": 2})
    way.fold()
    rows = way.rows()
    assert (rows["a"].metrics, rows["b"].metrics) == ({"Leads Processed": 2}, {"Leads Processed": 2})
    assert len(rows["a"].unknown) == 100
    assert way.reader.dead() == 9_900
    assert way.flush() == "clean"
    assert "metric 1 = 1" in way.records("Client Run Results")[f"{RUN}-a"]["System Notes"]


def test_texts_of_a_megabyte_are_cut_to_a_line_and_what_is_larger_is_counted_as_dropped(way: Way) -> None:
    assert update(way, note="n" * 1_000_000, metrics={"leads_processed": 1})
    assert update(way, error="e" * 1_000_000, metrics={"leads_processed": 1})
    assert update(way, metrics={"apify_status": "s" * 1_000_000, "leads_processed": 1})
    assert update(way, note="n" * 1_100_000)
    way.fold()
    row = way.rows()["a"]
    assert row.metrics["Leads Processed"] == 3
    assert len(msgspec.json.encode(row)) < 20_000
    assert way.publisher.counters["dropped_too_large"] == 1
    assert way.flush() == "clean"


@pytest.mark.parametrize("depth", [50, 500, 5_000, 100_000])
def test_a_depth_bomb_costs_only_the_event_it_stands_in(depth: int) -> None:
    ledger = Ledger()
    bomb = raw('{"metrics":{"errors":' + "[" * depth + "]" * depth + "}}")
    ledger.send(wire("client.metrics.updated", sequence=1, metrics={"errors": 1}), bomb)
    ledger.send(wire("client.metrics.updated", sequence=2, metrics={"errors": 1}))
    assert ledger["a"].metrics == {"Errors": 2}
    assert len(ledger.letters) == 1


def test_a_value_as_deep_as_the_decoder_goes_is_set_aside_too() -> None:
    for depth in range(900, 1_000):
        ledger = Ledger()
        ledger.send(raw('{"skips":{"A":' + '{"a":' * depth + "1" + "}" * depth + "}}"))
        assert len(ledger.letters) == 1, depth


@pytest.mark.parametrize("skips", [{f"reason {number}": 1 for number in range(10_000)}, {"r" * 1_000_000: 1}], ids=["many", "long"])
def test_reasons_of_skips_are_bounded_in_a_row(skips: dict[str, int]) -> None:
    ledger = Ledger()
    ledger.send(wire("client.metrics.updated", sequence=1, skips=skips, metrics={"leads_skipped": 1}))
    assert ledger["a"].metrics == {"Leads Skipped": 1}
    assert len(ledger["a"].skips) <= 100
    assert size(ledger) < 50_000


@pytest.mark.parametrize(
    "metrics", [{"m" * 1_000_000: 1}, {"m": "v" * 1_000_000}, {"m": [[1] * 1_000] * 300}], ids=["name", "text", "list"]
)
def test_an_unknown_metric_of_a_megabyte_is_bounded_in_a_row(metrics: dict[str, Any]) -> None:
    ledger = Ledger()
    ledger.send(wire("client.metrics.updated", sequence=1, metrics=metrics))
    assert size(ledger) < 50_000


@pytest.mark.parametrize("field", ["client_name", "job_type", "origin"])
def test_a_name_of_a_megabyte_is_bounded_in_a_row(field: str) -> None:
    ledger = Ledger()
    client = "a" if field == "client_name" else None
    ledger.send(wire("client.run.started" if client else "job.started", client, sequence=1, **{field: "n" * 1_000_000}))
    assert size(ledger, client) < 50_000


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_event_at_the_ends_of_time_costs_only_itself(time: str) -> None:
    ledger = Ledger()
    ledger.send(wire("client.metrics.updated", sequence=1, metrics={"errors": 1}), raw('{"metrics":{"errors":1}}', time=time))
    assert ledger["a"].metrics["Errors"] >= 1


def test_a_sequence_of_thousands_of_digits_costs_only_its_event() -> None:
    ledger = Ledger()
    ledger.send(wire("client.metrics.updated", sequence=1, metrics={"errors": 1}), raw("{}", sequence="9" * 5_000))
    assert ledger["a"].metrics == {"Errors": 1}


def test_a_sequence_above_64_bits_does_not_take_its_neighbours_with_it(way: Way) -> None:
    from contract import keys
    from contract.events import join_batch

    events = [raw("{}", id=f"s{number}", sequence=number) for number in ("1", "9" * 20)]
    neighbour = wire("client.metrics.updated", "b", id="good", source="/other", metrics={"leads_processed": 5})
    for event in events:
        log = keys.log(keys.partition_of(RUN, way.settings.partitions))
        way.link.call("XADD", log, "*", "batch", join_batch([event, neighbour] if event is events[1] else [event]))
    way.fold()
    assert way.rows()["b"].metrics == {"Leads Processed": 5}


def test_metrics_without_an_end_are_dropped_and_counted_alone(way: Way) -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    update(way, metrics=endless)
    update(way, metrics={"leads_processed": 1})
    way.fold()
    assert way.rows()["a"].metrics == {"Leads Processed": 1}
    assert sum(number for name, number in way.publisher.counters.items() if name.startswith("dropped_")) == 1
