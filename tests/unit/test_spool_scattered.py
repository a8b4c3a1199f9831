"""Events cut for another number of partitions go where they belong, word for word but for their sequence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from contract.events import decode_batch, encode_event, join_batch
from contract.keys import partition_of
from producers.spool.scattered import scattered

NOON = datetime(2025, 9, 30, 12, tzinfo=UTC)
DATA = {
    "metrics": {"leads_processed": 2**63 - 1, "x": 12345678901234567890123, "cost": "0.10"},
    "note": "über <b>\n\u2028",
    "later": [1e-7],
}


def event(number: int, run: str, sequence: int | None = None) -> bytes:
    time = NOON + timedelta(microseconds=number)
    return encode_event(id=f"3-{number}", source="/s/n", type="client.run.started", subject=run, time=time, sequence=sequence, data=DATA)


def test_each_event_goes_where_it_belongs_in_order_and_without_its_sequence() -> None:
    runs = [f"250930-1415{second:02d}" for second in range(40)]
    events = [event(number, f"{run}-Jane", sequence=number) for number, run in enumerate(runs * 3, 1)]
    found = scattered(join_batch(events), partitions=16)
    assert sum(len(decode_batch(body)) for body in found.values()) == 120
    for partition, body in found.items():
        told = json.loads(body)
        assert {partition_of(one["subject"][:13], 16) for one in told} == {partition}
        assert [int(one["id"].partition("-")[2]) for one in told] == sorted(int(one["id"].partition("-")[2]) for one in told)
        assert not any("sequence" in one for one in told)


def test_what_an_event_says_is_passed_on_byte_for_byte() -> None:
    run = "250930-141522"
    ((_, body),) = scattered(join_batch([event(1, run, sequence=7), event(2, run)]), partitions=4).items()
    assert body == join_batch([event(1, run), event(2, run)])


@pytest.mark.parametrize("body", [b"[1]", b"{", b"\xff", b'[{"id":1}]'])
def test_what_is_no_batch_of_ours_is_passed_on_as_it_is(body: bytes) -> None:
    assert scattered(body, partitions=8) == {0: body}
