"""What is set aside: with its kind, reason and origin, bounded, and what the bound dropped is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from contract import keys
from contract.link import Link
from tests.building import REGISTRY, RUN, wire
from tests.conftest import SettingsMaker
from worker.consume import Consumer

PARTITION = keys.partition_of(RUN, 8)


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


def test_a_letter_says_what_why_and_whence(link: Link, redis_url: str, make_settings: SettingsMaker) -> None:
    events = [
        wire("client.metrics.updated", id="m", at=7, metrics={"errors": "x"}, totals={"leads_processed": "y"}, skips={"QUOTA": -1}),
        wire("job.started", None, id="j", metrics={"errors": 1}, totals={"leads_processed": 2}),
    ]
    link.call("XADD", keys.log(PARTITION), "*", "batch", b"[" + b",".join(events) + b"]")
    Consumer(make_settings(redis_url=redis_url), REGISTRY, PARTITION).turn()
    letters = [dict(zip(fields[::2], fields[1::2], strict=True)) for _, fields in link.call("XRANGE", keys.dead(PARTITION), "-", "+")]
    assert [letter[b"kind"] for letter in letters] == [b"value"] * 5
    assert letters[0][b"reason"].startswith(b"Errors: ")
    origins = [json.loads(letter[b"origin"]) for letter in letters]
    assert [(origin["id"], origin["part"]) for origin in origins] == [
        ("m", "metrics"),
        ("m", "totals"),
        ("m", "skips"),
        ("j", "metrics"),
        ("j", "totals"),
    ]
    assert origins[0]["subject"] == f"{RUN}-a"
    assert origins[0]["time"] == "2025-09-30T12:00:07+00:00"
    assert json.loads(letters[1][b"letter"]) == {"leads_processed": "y"}


def test_what_the_bound_drops_is_counted(link: Link, redis_url: str, make_settings: SettingsMaker) -> None:
    worker = Consumer(make_settings(redis_url=redis_url, dead_letters=1), REGISTRY, PARTITION)
    for turn in range(3):
        bad = [wire("no.such.type", id=f"{turn}-{n}") for n in range(150)]
        link.call("XADD", keys.log(PARTITION), "*", "batch", b"[" + b",".join(bad) + b"]")
        worker.turn()
    kept = link.call("XLEN", keys.dead(PARTITION))
    assert kept < 450, "the bound holds, by whole nodes of the stream"
    assert int(link.call("HGET", keys.state(PARTITION), "dead_dropped")) == 450 - kept
    assert int(link.call("HGET", keys.state(PARTITION), "dead_event")) == 450
