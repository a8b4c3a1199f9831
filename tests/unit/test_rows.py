"""Rows survive their hash form, and so does what a newer version has stored with them."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest

from contract.status import Status
from tests.building import NOON, RUN, Ledger, wire
from worker.rows import ClientRow, JobRow, Outcome, from_hash, text, to_hash


def test_rows_come_back_as_they_were() -> None:
    client = ClientRow(
        run=RUN, client="a-b", metrics={"Apify API Costs": Decimal("1.10"), "Errors": 2**70}, start=NOON, notes=["x"], skips={"Q": 1}
    )
    job = JobRow(run=RUN, outcome=Outcome(Status.FAILED, NOON, presumed=True), clients={Status.FAILED: 2}, version=7)
    for row in (client, job):
        assert from_hash({name.encode(): value for name, value in to_hash(row).items()}, ["Apify API Costs"]) == row


@pytest.mark.parametrize(
    "row", [JobRow(run=RUN, clients={Status.RUNNING: 1}, start=NOON), ClientRow(run=RUN, client="a", metrics={"Errors": 3})]
)
def test_what_a_newer_version_stored_is_kept(row: JobRow | ClientRow) -> None:
    newer = json.loads(to_hash(row)["state"]) | {"mood": {"sunny": [1, 2.5, None]}, "score": 2**60}
    read = from_hash({b"state": json.dumps(newer).encode(), b"v": b"1"}, [])
    assert read.other == {"mood": {"sunny": [1, 2.5, None]}, "score": 2**60}
    read.version = 3
    written = json.loads(to_hash(read)["state"])
    assert (written["mood"], written["score"], written["version"]) == (newer["mood"], newer["score"], 3)
    assert "other" not in written
    assert from_hash({b"state": to_hash(read)["state"]}, []) == read


def test_what_a_newer_version_stored_with_the_outcome_is_kept_as_long_as_that_is() -> None:
    row = JobRow(run=RUN, outcome=Outcome(Status.FAILED, NOON, presumed=True))
    newer = json.loads(to_hash(row)["state"])
    newer["outcome"] |= {"exit_code": 137, "host": {"name": "a"}}
    read = from_hash({b"state": json.dumps(newer).encode()}, [])
    assert read.outcome is not None
    assert (read.outcome.status, read.outcome.presumed) == (Status.FAILED, True)
    assert json.loads(to_hash(read)["state"]) == newer
    assert from_hash({b"state": to_hash(read)["state"]}, []) == read
    ledger = Ledger()
    ledger.send(wire("job.completed", None, sequence=1))
    ledger[None].outcome = Outcome(Status.COMPLETED, NOON, other={"exit_code": 0})
    ledger.send(wire("client.metrics.updated", sequence=2, metrics={"errors": 1}))
    assert ledger[None].outcome.other == {"exit_code": 0}
    ledger.send(wire("job.completed", None, sequence=3, at=5, success=False))
    assert ledger[None].outcome == Outcome(Status.FAILED, ledger[None].outcome.at)


def test_it_is_kept_through_a_fold() -> None:
    ledger = Ledger()
    ledger.send(wire("client.metrics.updated", sequence=1, metrics={"errors": 1}))
    ledger["a"].other = {"mood": "sunny"}
    ledger.send(wire("client.metrics.updated", sequence=2, metrics={"errors": 1}))
    assert (ledger["a"].other, ledger["a"].metrics) == ({"mood": "sunny"}, {"Errors": 2})


@pytest.mark.parametrize("state", [b"", b"[]", b"{}", b'{"kind":"planet","run":"x"}', b'{"kind":"job","run":5}'])
def test_what_is_no_row_is_an_error(state: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        from_hash({b"state": state}, [])


def test_a_text_says_what_is_missing() -> None:
    row = ClientRow(run=RUN, client="a", notes=["b", "c"], dropped={"notes": 4})
    assert text(row, "notes") == "(4 earlier lines not kept)\nb\nc"
    assert text(JobRow(run=RUN), "errors") == ""
