"""Rows that have had their time go with their whole run, and what comes later makes none anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airtable_sandbox import Limits, Sandbox
from contract import keys
from contract.link import Link
from contract.settings import Settings
from contract.status import Status
from embedded import EmbeddedValkey
from tests.building import REGISTRY, RUN, wire
from worker.consume import Consumer
from worker.dead.letters import DeadLetters
from worker.dead.retry import Retry
from worker.dead.wanted import Wanted
from worker.flush.flusher import flush
from worker.flush.schema import init_base
from worker.fold import Changes
from worker.maintain import RETIRED_MEMORY_S, retire, trim_all
from worker.store import dirty, retired
from worker.store.partition import Committed
from worker.store.reader import Reader

PARTITIONS = 8
PARTITION = keys.partition_of(RUN, PARTITIONS)
RETENTION_S = 1
LATE = "the run's rows have expired"

Maker = Callable[..., Settings]


class Bench:
    """A Redis, one worker with what it remembers, and a run of two clients to play with."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.link = Link(settings.redis_url.get_secret_value(), name="test")
        self.link.open()
        self.reader = Reader(self.link, PARTITIONS, REGISTRY)
        self.worker = self.another_worker()
        self._numbers = 0

    def another_worker(self) -> Consumer:
        return Consumer(self.settings, REGISTRY, PARTITION)

    def append(self, kind: str, client: str | None, run: str = RUN, **data: Any) -> None:
        self._numbers += 1
        event = wire(kind, client, id=f"n{self._numbers}", run=run, **data)
        self.link.call("XADD", keys.log(keys.partition_of(run, PARTITIONS)), "*", "batch", b"[" + event + b"]")

    def emit(self, kind: str, client: str | None, **data: Any) -> None:
        """Append and fold."""
        self.append(kind, client, **data)
        assert self.worker.turn().drained

    def whole_run(self) -> None:
        """A job with clients a and b, all complete."""
        self.emit("job.started", None, job_type="scoring", stream=2)
        for client in ("a", "b"):
            self.emit("client.metrics.updated", client, metrics={"leads_processed": 2}, client_name="Client")
            self.emit("client.run.completed", client, success=True)
        self.emit("job.completed", None, success=True)

    def retire(self) -> int:
        return retire(self.link, PARTITION, self.settings)

    def retire_in_time(self) -> None:
        until(lambda: self.retire() == 1)

    def rows(self) -> int:
        """How many row hashes of the partition there are."""
        return len(self.link.call("KEYS", keys.row(PARTITION, "*").replace("{", "\\{")))

    def letters(self) -> list[str]:
        """The reasons of the dead letters."""
        entries = self.link.call("XRANGE", keys.dead(PARTITION), "-", "+")
        return [fields[fields.index(b"reason") + 1].decode() for _, fields in entries]


def until(done: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline, "in vain"


@pytest.fixture
def bench(make_settings: Maker, redis_url: str) -> Iterator[Bench]:
    """No base is configured."""
    bench = Bench(make_settings(redis_url=redis_url, retention_s=RETENTION_S))
    yield bench
    bench.worker.close()
    bench.link.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox("pat", limits=Limits(lockout_s=0.4)) as server:
        yield server


@pytest.fixture
def flushed(make_settings: Maker, redis_url: str, sandbox: Sandbox) -> Iterator[Bench]:
    """A base in the sandbox is configured."""
    settings = make_settings(
        redis_url=redis_url,
        retention_s=RETENTION_S,
        airtable_url=sandbox.url,
        airtable_token="pat",
        airtable_base_id=sandbox.base_id,
    )
    bench = Bench(settings)
    init_base(settings, bench.link, REGISTRY)
    yield bench
    bench.worker.close()
    bench.link.close()


def flush_all(bench: Bench) -> None:
    assert flush(bench.settings, bench.link, REGISTRY, lambda: False, 20).waiting == 0


LATE_EVENTS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "at the job": ("job.rows.requested", None, {}),
    "at a client": ("client.metrics.updated", "a", {"metrics": {"leads_processed": 1}}),
    "at a client that is new": ("client.run.started", "c", {}),
    "a heartbeat": ("job.heartbeat", None, {}),
    "a recount": ("job.rows.recounted", None, {"clients": ["a"]}),
}


@pytest.mark.parametrize("late", LATE_EVENTS, ids=lambda late: late.replace(" ", "-"))
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_a_late_event_makes_no_row_and_changes_nothing_in_airtable(flushed: Bench, sandbox: Sandbox, late: str, warm: bool) -> None:
    """Also where the worker still has the run's rows in its cache."""
    bench = flushed
    bench.whole_run()
    flush_all(bench)
    before = [sandbox.records(table) for table in ("Job Tracking", "Client Run Results")]
    bench.retire_in_time()
    assert bench.rows() == 0
    if not warm:
        bench.worker = bench.another_worker()
    kind, client, data = LATE_EVENTS[late]
    bench.emit(kind, client, **data)
    bench.emit("client.metrics.updated", "b", metrics={"deals": 1})
    assert bench.rows() == 0
    assert [reason[: len(LATE)] for reason in bench.letters()] == [LATE, LATE]
    assert dirty.count(bench.link, PARTITIONS) == 0
    assert bench.reader.latest(10) == []
    flush_all(bench)
    assert [sandbox.records(table) for table in ("Job Tracking", "Client Run Results")] == before


def test_a_late_expiry_of_the_sweeper_is_void(bench: Bench) -> None:
    bench.whole_run()
    bench.retire_in_time()
    bench.emit("client.run.expired", "a", seen_ms=1)
    assert (bench.rows(), bench.letters()) == (0, [])


def test_maintenance_that_was_away_for_long_leaves_no_gap(bench: Bench) -> None:
    """What comes after the time, and before anybody looked, finds the rows; and the run has its whole time anew."""
    bench.whole_run()
    heard_ms = bench.link.call("ZSCORE", keys.runs(PARTITION), RUN)
    until(lambda: bench.link.call("TIME")[0] > b"%d" % (float(heard_ms) / 1000 + RETENTION_S))
    bench.emit("client.metrics.updated", "a", metrics={"leads_processed": 1})
    assert bench.retire() == 0
    job = bench.reader.job(RUN)
    assert job is not None
    assert (job.metrics, job.job_type) == ({"Leads Processed": 5}, "scoring")
    assert bench.letters() == []


def test_what_waits_in_the_log_has_come_in_time(bench: Bench) -> None:
    """No worker was there for longer than rows are kept: nothing goes before what came meanwhile is folded."""
    bench.whole_run()
    bench.append("client.metrics.updated", "a", metrics={"leads_processed": 1})
    waiting = bench.link.call("XREVRANGE", keys.log(PARTITION), "+", "-", "COUNT", 1)[0][0]
    came_ms = int(waiting.split(b"-")[0])
    until(lambda: bench.link.call("TIME")[0] > b"%d" % (came_ms / 1000 + 2 * RETENTION_S))
    assert bench.retire() == 0
    assert bench.worker.turn().drained
    assert bench.letters() == []
    job = bench.reader.job(RUN)
    assert job is not None
    assert job.metrics == {"Leads Processed": 5}
    bench.retire_in_time()


def test_a_run_with_an_open_row_is_kept_whole(bench: Bench) -> None:
    """Client b is complete, and nobody hears of its job any more, but a still runs."""
    bench.emit("client.run.completed", "b", success=True)
    bench.emit("job.completed", None, success=True)
    bench.emit("client.run.started", "a")
    age(bench)
    assert (bench.retire(), bench.rows()) == (0, 3)
    bench.emit("client.run.completed", "a", success=True)
    bench.retire_in_time()
    assert bench.rows() == 0


def test_a_client_that_ended_long_ago_stays_while_its_run_is_heard_of(bench: Bench) -> None:
    bench.whole_run()
    age(bench)
    bench.emit("client.run.heartbeat", "b")
    assert (bench.retire(), bench.rows()) == (0, 3)


def test_rows_that_airtable_has_not_got_stay_and_are_shown(flushed: Bench) -> None:
    bench = flushed
    bench.whole_run()
    age(bench)
    assert (bench.retire(), bench.rows()) == (0, 3)
    assert [job.run for job in bench.reader.latest(10)] == [RUN]
    flush_all(bench)
    assert bench.retire() == 0, "kept for their time after they were written"
    bench.retire_in_time()
    assert (bench.rows(), bench.reader.latest(10)) == (0, [])


def test_without_a_base_rows_go_and_so_do_their_dirty_marks(bench: Bench) -> None:
    bench.whole_run()
    assert dirty.count(bench.link, PARTITIONS) == 3
    until(lambda: trim_all(bench.link, bench.settings) is None and bench.rows() == 0)
    assert dirty.count(bench.link, PARTITIONS) == 0
    left = {key.decode() for key in bench.link.call("KEYS", keys.row(PARTITION, "").replace("row:", "*").replace("{", "\\{"))}
    assert not {key for key in left if RUN in key}
    assert bench.link.call("ZRANGE", keys.retired(PARTITION), 0, -1) == [RUN.encode()]


def test_a_row_deleted_behind_the_workers_back_is_not_made_of_the_latest_event(bench: Bench) -> None:
    """The worker has it in its cache. The commit is refused, and the fold begins anew from what is there."""
    bench.emit("client.metrics.updated", "a", metrics={"leads_processed": 2}, client_name="Jane")
    fields = bench.link.call("HGETALL", keys.row(PARTITION, f"{RUN}-a"))
    bench.link.call("DEL", keys.row(PARTITION, f"{RUN}-a"))
    store, told = bench.worker._store, []
    commit = store.commit

    def noted(read_from: str, changes: Changes) -> Committed:
        told.append(commit(read_from, changes))
        if told == [Committed.GONE]:
            # Had it been written, or the offset moved, this would not be as it was.
            bench.link.call("HSET", keys.row(PARTITION, f"{RUN}-a"), *fields)
        return told[-1]

    store.commit = noted  # type: ignore[method-assign]
    bench.emit("client.metrics.updated", "a", metrics={"leads_processed": 1})
    assert told == [Committed.GONE, Committed.STORED]
    [client] = bench.reader.clients(RUN)
    assert (client.metrics, client.name, client.status) == ({"Leads Processed": 3}, "Jane", Status.RUNNING)


def test_a_run_retired_between_fold_and_commit_is_not_made_anew(bench: Bench) -> None:
    """A new client of a run that the worker has read, and that goes before it commits."""
    bench.whole_run()
    bench.worker = bench.another_worker()
    store, told = bench.worker._store, []
    commit = store.commit

    def late(read_from: str, changes: Changes) -> Committed:
        if not told:
            assert retired.retire(bench.link, PARTITION, until_ms=10**15, written=False) == 1
        told.append(commit(read_from, changes))
        return told[-1]

    store.commit = late  # type: ignore[method-assign]
    bench.emit("client.run.started", "c")
    assert told == [Committed.GONE, Committed.STORED]
    assert bench.rows() == 0
    assert bench.letters()[0].startswith(LATE)


def test_a_letter_of_a_retired_run_counts_under_another_run_only(bench: Bench) -> None:
    bench.whole_run()
    bench.retire_in_time()
    bench.emit("client.metrics.updated", "a", metrics={"leads_processed": 7})
    letters = DeadLetters(bench.link, PARTITIONS, None)
    [letter] = letters.find(Wanted())
    retry = Retry(bench.link, PARTITIONS, REGISTRY, letters)
    assert (retry.fault(letter) or "").startswith(LATE)
    other = "250930-141523"
    assert retry.fault(letter, subject=f"{other}-a") is None


def test_retired_runs_are_remembered_for_some_time_and_in_some_number(bench: Bench) -> None:
    for n in range(5):
        bench.link.call("ZADD", keys.retired(PARTITION), 1_000 * n, f"run{n}")
    retired.forget(bench.link, PARTITION, before_ms=1_000, most=3)
    assert bench.link.call("ZRANGE", keys.retired(PARTITION), 0, -1) == [b"run2", b"run3", b"run4"]
    bench.retire()
    assert bench.link.call("ZCARD", keys.retired(PARTITION)) == 0, f"all of them are {RETIRED_MEMORY_S} s old by now"


def test_runs_that_are_kept_do_not_hide_those_behind_them(bench: Bench) -> None:
    """A hundred and one old runs that are still open, and one behind them that is not."""
    commands = [("ZADD", keys.runs(PARTITION), n, f"run{n:03}") for n in range(102)]
    bench.link.pipeline([*commands, *(("ZADD", keys.open_rows(PARTITION), 1, f"run{n:03}") for n in range(101))])
    assert bench.retire() == 1
    assert bench.link.call("ZRANGE", keys.retired(PARTITION), 0, -1) == [b"run101"]


def test_a_run_of_many_clients_goes_at_once(bench: Bench) -> None:
    """More than Lua's stack holds."""
    clients = [f"c{n}" for n in range(9_000)]
    bench.link.pipeline([("HSET", keys.row(PARTITION, f"{RUN}-{client}"), "v", "1") for client in clients])
    bench.link.call("SADD", keys.clients(PARTITION, RUN), *clients)
    bench.link.call("ZADD", keys.runs(PARTITION), 1, RUN)
    assert bench.retire() == 1
    assert bench.rows() == 0


def test_what_somebody_wrote_into_a_run_holds_up_no_other(bench: Bench) -> None:
    bench.link.pipeline([("SET", keys.clients(PARTITION, "run1"), "x"), ("SET", keys.row(PARTITION, "run2"), "x")])
    bench.link.call("HSET", keys.row(PARTITION, "run3"), "sent_ms", "soon")
    bench.link.call("ZADD", keys.runs(PARTITION), 1, "run1", 2, "run2", 3, "run3")
    assert bench.retire() == 2
    assert bench.link.call("ZRANGE", keys.runs(PARTITION), 0, -1) == [b"run1"]


def test_a_killed_redis_forgets_both_or_neither(durable_valkey: EmbeddedValkey, make_settings: Maker) -> None:
    """Rows and remembrance are one write: whatever of it is lost, a late event never meets a run without a trace."""
    bench = Bench(make_settings(redis_url=durable_valkey.url, retention_s=RETENTION_S))
    bench.whole_run()
    bench.link.call("WAITAOF", 1, 0, 5_000)
    bench.retire_in_time()
    durable_valkey.kill()
    durable_valkey.restart()
    bench.link.close()
    bench.link.open()
    gone = bench.link.call("ZSCORE", keys.retired(PARTITION), RUN) is not None
    assert bench.rows() == (0 if gone else 3)
    bench.append("client.metrics.updated", "a", metrics={"leads_processed": 1})
    assert bench.another_worker().turn().drained
    assert len(bench.letters()) == (1 if gone else 0)
    bench.link.close()


def age(bench: Bench) -> None:
    """The run was last heard of long ago."""
    bench.link.call("ZADD", keys.runs(PARTITION), "XX", 1, RUN)
