"""Any split into batches, any repetition by the publisher, any crash before a commit gives the rows of the reference fold."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from contract.metrics import BOTH_TABLES, Rate
from contract.registry import Registry
from tests.building import REGISTRY, RULES, RUN, Ledger, entry, wire
from worker.flush.columns import job_fields
from worker.fold import Rules
from worker.rows import AnyRow, JobRow

METRICS = st.dictionaries(
    st.sampled_from(
        [
            *("leads_processed", "Errors", "apify_api_costs", "total_tokens", "prompt_tokens", "Apify Status", "made_up", "End Time"),
            *("Status", "posts_examined_for_scoring", "posts_successfully_scored", "POSTS successfully scored"),
        ]
    ),
    st.one_of(
        st.integers(0, 2**63 - 1),
        st.integers(0, 3),
        st.decimals(0, 1000, places=2).map(str),
        st.sampled_from(["x", "1,234", "2025-09-30T10:00:00Z", "failed", "Running", "skipped"]),
    ),
    max_size=3,
)
KINDS = st.sampled_from(
    [
        *("client.run.started", "client.metrics.updated", "client.run.completed", "client.progress.logged"),
        *("client.run.heartbeat", "client.run.expired"),
    ]
)
JOB_KINDS = st.sampled_from(["job.started", "job.completed", "job.rows.requested", "job.heartbeat", "job.expired"])
SUCCESSES = st.one_of(st.booleans(), st.sampled_from(["false", 1, "maybe"]))
NOTES = st.one_of(st.text(max_size=5), st.just(5))
CLIENT_EVENT = st.fixed_dictionaries(
    {"kind": KINDS, "client": st.sampled_from("ab"), "at": st.integers(0, 50), "metrics": METRICS, "totals": METRICS},
    optional={
        "success": SUCCESSES,
        "status": st.sampled_from(["failed", "running", "skipped", "nonsense"]),
        "note": NOTES,
        "skips": st.sampled_from([{"QUOTA": 1}, {"QUOTA": -1}, ["QUOTA"]]),
        "progress": st.sampled_from([{"operation": "scoring", "state": "done"}, {"operation": "scoring"}, "done"]),
    },
)
JOB_EVENT = st.fixed_dictionaries(
    {"kind": JOB_KINDS, "client": st.none(), "at": st.integers(0, 50)},
    optional={"success": SUCCESSES, "note": NOTES, "stream": st.sampled_from([1, "2", "second"])},
)
RATED = Rules(
    Registry(REGISTRY.metrics, [*REGISTRY.rates, Rate("Share", "share", "Errors", "Total Tokens", tables=BOTH_TABLES)]),
    RULES.partition,
    RULES.partitions,
)
"""With a rate that both tables show, of a total that others stand in for."""
EVENTS = st.lists(st.one_of(CLIENT_EVENT, JOB_EVENT), min_size=1, max_size=25)


def plain(row: AnyRow) -> dict[str, Any]:
    """A row as values, without what tells of commits and of the server's clock rather than of events."""
    twin: Any = copy.copy(row)
    twin.version = twin.seen_ms = 0
    twin.updated = None
    return {name: getattr(twin, name) for name in type(twin).__struct_fields__}


def letters(ledger: Ledger) -> list[tuple[str, str, bytes]]:
    return [(letter.kind, letter.reason, letter.letter) for changes in ledger.commits for letter in changes.letters]


def notes_of_the_job(ledger: Ledger) -> Any:
    job = ledger.known.rows.get(RUN)
    return None if job is None else job_fields(cast(JobRow, job), RATED.registry)["System Notes"]


def numbered(events: list[dict[str, Any]], named: bool) -> list[bytes]:
    """The events on the wire, numbered by their publisher, or known by their IDs."""
    return [
        wire(**({"kind": event["kind"], "sequence": None if named else n, "id": f"e{n}"} | {k: v for k, v in event.items() if k != "kind"}))
        for n, event in enumerate(events, start=1)
    ]


@settings(max_examples=500, deadline=None)
@given(EVENTS, st.booleans(), st.data())
def test_any_split_repetition_and_crash_gives_the_rows_of_the_reference_fold(
    events: list[dict[str, Any]], named: bool, data: st.DataObject
) -> None:
    sent = numbered(events, named)
    reference = Ledger(RATED)
    reference.fold(entry(1, *sent))

    # The publisher sends batches in order; at any time it goes back to an earlier, unconfirmed one and sends all from there.
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent)), max_size=6), label="cuts") | {0, len(sent)})
    batches = [sent[begin:end] for begin, end in pairwise(cuts)]
    log: list[list[bytes]] = []
    position, repeats = 0, 0
    while position < len(batches):
        log.append(batches[position])
        position += 1
        if repeats < 4 and data.draw(st.booleans(), label="resend"):
            repeats += 1
            position = data.draw(st.integers(0, position), label="from")

    worker = Ledger(RATED)
    entries = [entry(n, *batch) for n, batch in enumerate(log, start=1)]
    while entries:
        size = data.draw(st.integers(1, len(entries)), label="entries of a commit")
        if data.draw(st.booleans(), label="crash"):
            worker.fold(*entries[:size], commit=False)
        worker.fold(*entries[:size])
        entries = entries[size:]

    assert {row_id: plain(row) for row_id, row in worker.known.rows.items()} == {
        row_id: plain(row) for row_id, row in reference.known.rows.items()
    }
    assert sorted(letters(worker)) == sorted(letters(reference))
    assert notes_of_the_job(worker) == notes_of_the_job(reference)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2**63 - 1)), min_size=1, max_size=30), st.integers(1, 7))
def test_sums_and_job_totals_are_those_of_plain_addition(values: list[tuple[str, int]], size: int) -> None:
    events = [
        wire("client.metrics.updated", client, sequence=n, metrics={"leads_processed": value})
        for n, (client, value) in enumerate(values, 1)
    ]
    worker = Ledger()
    for number, begin in enumerate(range(0, len(events), size), start=1):
        worker.fold(entry(number, *events[begin : begin + size]))
    for client in {client for client, _ in values}:
        assert worker[client].metrics == {"Leads Processed": sum(value for name, value in values if name == client)}
    assert worker[None].metrics == {"Leads Processed": sum(value for _, value in values)}


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)))  # noqa: DTZ001  # hypothesis wants naive bounds
def test_event_times_survive_the_row(at: datetime) -> None:
    worker = Ledger()
    offset = (at.replace(tzinfo=UTC) - datetime(2025, 9, 30, 12, tzinfo=UTC)).total_seconds()
    worker.send(wire("client.metrics.updated", sequence=1, at=offset, metrics={"errors": 1}))
    assert abs((worker["a"].start - at.replace(tzinfo=UTC)).total_seconds()) < 0.001
