"""Consume on a real server: exactly once, whoever else consumes and whatever breaks in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from contract import keys
from contract.errors import LayoutMismatch, StoreUnavailable
from contract.link import Link
from contract.settings import Settings
from contract.status import Status
from embedded import EmbeddedValkey
from tests.building import REGISTRY, RUN, entry, wire
from worker.consume import Consumer
from worker.fold import Known, Rules, fold
from worker.fold.working import Working
from worker.rows import from_hash, to_hash
from worker.store.partition import Committed

PARTITION = keys.partition_of(RUN, 8)


class Bench:
    """A log to append to and rows to look at."""

    def __init__(self, url: str) -> None:
        self.link = Link(url, name="test")
        self.link.open()

    def append(self, *events: bytes) -> None:
        self.link.call("XADD", keys.log(PARTITION), "*", "batch", b"[" + b",".join(events) + b"]")

    def row(self, client: str | None) -> Any:
        reply = self.link.call("HGETALL", keys.row(PARTITION, RUN if client is None else f"{RUN}-{client}"))
        return from_hash(dict(zip(reply[::2], reply[1::2], strict=True)), REGISTRY.decimals)

    def count(self, name: str) -> int:
        return int(self.link.call("HGET", keys.state(PARTITION), name) or 0)


@pytest.fixture
def bench(redis_url: str) -> Iterator[Bench]:
    bench = Bench(redis_url)
    yield bench
    bench.link.close()


def leads(begin: int, end: int, client: str = "a", source: str = "/test/p1") -> list[bytes]:
    return [wire("client.metrics.updated", client, sequence=n, source=source, metrics={"leads_processed": 1}) for n in range(begin, end)]


def consumer(settings: Settings) -> Consumer:
    return Consumer(settings, REGISTRY, PARTITION)


def test_events_become_rows_marks_and_indexes(bench: Bench, settings: Settings) -> None:
    bench.append(*leads(1, 101), wire("job.started", None, sequence=101, job_type="scoring"))
    bench.append(*leads(102, 110, "b"), b'"bad"', wire("client.run.completed", "b", sequence=110, success=True))
    done = consumer(settings).turn()
    assert (done.events, done.entries, done.drained, done.busy) == (111, 2, True, False)
    assert bench.row("a").metrics == {"Leads Processed": 100}
    assert bench.row("b").status is Status.COMPLETED
    assert bench.row(None).metrics == {"Leads Processed": 108}
    assert bench.row(None).clients == {Status.RUNNING: 1, Status.COMPLETED: 1}
    assert bench.link.call("SMEMBERS", keys.clients(PARTITION, RUN)) != []
    assert set(bench.link.call("ZRANGE", keys.dirty(PARTITION), 0, -1)) == {
        RUN.encode(),
        f"{RUN}-a".encode(),
        f"{RUN}-b".encode(),
    }
    assert bench.link.call("ZRANGE", keys.runs(PARTITION), 0, -1) == [RUN.encode()]
    assert bench.link.call("XLEN", keys.dead(PARTITION)) == 1
    assert bench.count("events") == 111
    assert bench.link.call("EXISTS", keys.consume_lease(PARTITION)) == 0


def test_two_consumers_in_turn_see_each_others_rows(bench: Bench, settings: Settings) -> None:
    one, two = consumer(settings), consumer(settings)
    for number in range(6):
        bench.append(*leads(number * 10 + 1, number * 10 + 11))
        (one if number % 2 else two).turn()
    assert bench.row("a").metrics == {"Leads Processed": 60}
    assert bench.row("a").version == 6


def test_repeats_are_counted_once_across_batches_and_turns(bench: Bench, settings: Settings) -> None:
    named = [wire("client.metrics.updated", id=f"hook-{n}", metrics={"errors": 1}) for n in range(700)]
    bench.append(*leads(1, 51), *named)
    worker = consumer(settings)
    worker.turn()
    bench.append(*leads(31, 51))
    bench.append(*named, *leads(51, 61))
    worker.turn()
    consumer(settings).turn()
    assert bench.row("a").metrics == {"Leads Processed": 60, "Errors": 700}
    assert bench.count("duplicates") == 720


def test_a_worker_that_lost_its_partition_changes_nothing(bench: Bench, settings: Settings) -> None:
    """The zombie has read and folded; before it commits, another worker does."""
    bench.append(*leads(1, 11))
    zombie, other = consumer(settings), consumer(settings)
    commit = zombie._store.commit
    refused: list[Committed] = []

    def late(read_from: str, changes: Any) -> Committed:
        if not refused:
            bench.link.call("DEL", keys.consume_lease(PARTITION))
            other.turn()
        refused.append(commit(read_from, changes))
        return refused[-1]

    zombie._store.commit = late  # type: ignore[method-assign]
    bench.append(*leads(11, 21))
    zombie.turn()
    assert refused[0] is Committed.MOVED
    assert bench.row("a").metrics == {"Leads Processed": 20}


@pytest.mark.parametrize("applied", [False, True], ids=["before it was applied", "after it was applied"])
def test_a_connection_lost_at_the_commit_neither_loses_nor_doubles(bench: Bench, settings: Settings, applied: bool) -> None:
    bench.append(*leads(1, 11))
    worker = consumer(settings)
    commit = worker._store.commit

    def broken(read_from: str, changes: Any) -> Committed:
        if applied:
            commit(read_from, changes)
        worker._link.close()
        raise StoreUnavailable("cut")

    worker._store.commit = broken  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        worker.turn()
    worker._store.commit = commit  # type: ignore[method-assign]
    bench.link.call("DEL", keys.consume_lease(PARTITION))
    bench.append(*leads(11, 21))
    worker.turn()
    assert bench.row("a").metrics == {"Leads Processed": 20}
    assert bench.count("duplicates") == 0


def test_a_refused_commit_is_read_again(bench: Bench, settings: Settings) -> None:
    from contract.errors import StoreRefused

    bench.append(*leads(1, 11))
    worker = consumer(settings)
    commit = worker._store.commit
    worker._store.commit = lambda *_: (_ for _ in ()).throw(StoreRefused("MISCONF disk full"))  # type: ignore[method-assign]
    with pytest.raises(StoreRefused):
        worker.turn()
    worker._store.commit = commit  # type: ignore[method-assign]
    worker.turn()
    assert bench.row("a").metrics == {"Leads Processed": 10}


def test_a_server_that_came_back_without_its_tail_is_believed(durable_valkey: EmbeddedValkey, make_settings: Any) -> None:
    settings = make_settings(redis_url=durable_valkey.url)
    bench = Bench(durable_valkey.url)
    bench.append(*leads(1, 11))
    worker = consumer(settings)
    worker.turn()
    bench.link.call("WAITAOF", 1, 0, 5000)
    # A server that restarts without its tail, seen from its clients: the same keys, older, and a new connection.
    before = bench.link.call("DUMP", keys.row(PARTITION, f"{RUN}-a")), bench.link.call("DUMP", keys.state(PARTITION))
    bench.append(*leads(11, 21))
    worker.turn()
    for key, dump in zip((keys.row(PARTITION, f"{RUN}-a"), keys.state(PARTITION)), before, strict=True):
        bench.link.call("RESTORE", key, 0, dump, "REPLACE")
    bench.link.call("HSET", keys.watermarks(PARTITION), "/test/p1", 10)
    bench.link.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    with pytest.raises(StoreUnavailable):
        worker.turn()
    worker.turn()
    assert bench.row("a").metrics == {"Leads Processed": 20}
    bench.link.close()


def test_a_busy_partition_is_left_alone(bench: Bench, settings: Settings) -> None:
    bench.append(*leads(1, 11))
    bench.link.call("SET", keys.consume_lease(PARTITION), "somebody")
    done = consumer(settings).turn()
    assert (done.busy, done.drained, done.events) == (True, False, 0)


def test_a_full_server_drains(bench: Bench, settings: Settings) -> None:
    """Over maxmemory every write is refused but the commit: it is what lets the log be trimmed."""
    bench.append(*leads(1, 501))
    consumer(settings)._open()
    bench.link.call("CONFIG", "SET", "maxmemory", "1mb")
    try:
        with pytest.raises(Exception, match="OOM"):
            bench.append(*leads(501, 502))
        worker = consumer(settings)
        worker._open()
        worker._believe(worker._store.offset())
        from worker.consume import Consumed

        done = Consumed()
        worker._step(done)
        assert done.events == 500
    finally:
        bench.link.call("CONFIG", "SET", "maxmemory", "0")
    assert bench.row("a").metrics == {"Leads Processed": 500}


def test_another_number_of_partitions_is_refused(bench: Bench, settings: Settings, make_settings: Any, redis_url: str) -> None:
    consumer(settings).turn()
    with pytest.raises(LayoutMismatch, match="RUNTALLY_PARTITIONS=8"):
        consumer(make_settings(redis_url=redis_url, partitions=4)).turn()


def test_a_commit_of_thousands_of_rows_and_marks_fits_luas_stack(bench: Bench, settings: Settings) -> None:
    bench.append(*[wire("client.metrics.updated", f"c{n}", sequence=1, source=f"/p/{n}", metrics={"errors": 1}) for n in range(9_000)])
    bench.append(*[wire("client.metrics.updated", f"c{n}", id=f"i{n}", metrics={"errors": 1}) for n in range(9_000)])
    consumer(settings).turn(budget_s=60)
    assert bench.row(None).metrics == {"Errors": 18_000}
    assert bench.link.call("SCARD", keys.clients(PARTITION, RUN)) == 9_000


def test_the_rows_equal_the_fold_of_the_log(bench: Bench, settings: Settings) -> None:
    batches = [leads(1, 400), leads(400, 900, "b"), leads(1, 300, "c", "/test/p2")]
    for batch in batches:
        bench.append(*batch)
    consumer(settings).turn()
    rules = Rules(REGISTRY, PARTITION, 8)
    reference = fold(rules, Known(), [entry(n, *batch) for n, batch in enumerate(batches, 1)])
    for client in ("a", "b", "c"):
        assert bench.row(client).metrics == reference.rows[f"{RUN}-{client}"].metrics


@pytest.mark.parametrize("where", ["fold", "commit"])
def test_a_bug_that_one_event_meets_does_not_stop_the_partition(
    bench: Bench, settings: Settings, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """In the fold, or only when what it made is to be written: a note `boom` raises."""

    def broken(row: Any, *args: Any) -> Any:
        if any("boom" in line for line in row.notes):
            raise RuntimeError("a bug")
        return to_hash(row, *args)

    if where == "commit":
        monkeypatch.setattr("worker.store.packing.to_hash", broken)
        monkeypatch.setattr("worker.fold.one_by_one.to_hash", broken)
    else:
        line = Working.line
        monkeypatch.setattr(Working, "line", lambda self, row, name, text: line(self, row, name, text) or broken(row))
    bad = wire("client.metrics.updated", sequence=6, metrics={"leads_processed": 1}, note="boom")
    bench.append(*leads(1, 6), bad, *leads(7, 11))
    bench.append(bad, *leads(11, 21), *leads(1, 3, "b", "/test/p2"))
    worker = consumer(settings)
    assert worker.turn().drained
    bench.append(*leads(21, 31))
    assert worker.turn().drained
    assert bench.row("a").metrics == {"Leads Processed": 29}
    assert bench.row(None).metrics == {"Leads Processed": 31}
    assert bench.count("fold_errors") == 1
    [(_, letter)] = bench.link.call("XRANGE", keys.dead(PARTITION), "-", "+")
    assert b"RuntimeError: a bug" in letter[3]
