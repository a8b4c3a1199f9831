"""Keys in Redis of another type than they have to be: what can begin anew does, what cannot stops its partition alone, readers go on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from contract import keys
from contract.errors import StoreRefused
from contract.link import Link
from dashboard.health import HealthReader
from worker.appending import append
from worker.consume import Consumer
from worker.dead.letters import DeadLetters
from worker.dead.wanted import Wanted
from worker.flush.flusher import flush
from worker.maintain import backlog, relieve, trim_all
from worker.store import dirty
from worker.store.dirty import RowRef
from worker.store.wrong_type import INDEXES, LEDGERS
from worker.sweep import sweep
from worker.verify import look

from .conftest import QUIET, RUN, Flow
from .test_unreadable import late, row_letters

ELSEWHERE = "250930-141524"
"""A run of another partition."""

OTHERS = {
    "string": ("SET", "a word"),
    "list": ("RPUSH", "a", "b"),
    "set": ("SADD", "a"),
    "zset": ("ZADD", 1, "a"),
    "stream": ("XADD", "*", "a", "b"),
}


def put(link: Link, key: str, kind: str = "string") -> None:
    """Something of another type, in the place of what stood there."""
    verb, *words = OTHERS[kind]
    link.call("DEL", key)
    link.call(str(verb), key, *words)


def tell(flow: Flow, run: str, data: dict[str, Any]) -> None:
    """An event of client a."""
    about = {"run_id": run, "client_id": "a", "source": "/test", "id": "told", "time": datetime.now(UTC)}
    append(flow.link, flow.settings.partitions, type="client.metrics.updated", data=data, **about)


def elsewhere_counts(flow: Flow) -> bool:
    """An event in another partition is folded."""
    tell(flow, ELSEWHERE, {"metrics": {"leads_processed": 1}})
    consumer = Consumer(flow.settings, flow.registry, flow.partition(ELSEWHERE))
    drained = consumer.turn().drained
    consumer.close()
    return drained and flow.reader.job(ELSEWHERE) is not None


def kind_of(flow: Flow, key: str) -> str:
    return str(flow.link.call("TYPE", key).decode())


def names(functions: dict[Callable[[int], str], object]) -> list[str]:
    return [function.__name__ for function in functions]


def index_key(flow: Flow, name: str) -> str:
    return keys.clients(flow.partition(), RUN) if name == "clients" else str(getattr(keys, name)(flow.partition()))


@pytest.mark.parametrize("kind", OTHERS)
def test_a_client_row_of_another_type_costs_itself_and_is_mended_from_the_log(flow: Flow, kind: str) -> None:
    put(flow.link, flow.row("a"), kind)
    late(flow, "b", 2, "1")
    flow.settle()
    assert flow.total("Leads Processed", "b") == 7
    assert flow.seen() == {("unreadable", RUN, "a")}, "nobody has asked for it: it stays as it is"

    late(flow, "a", 4, "2")
    flow.settle()
    assert (flow.total("Leads Processed", "a"), flow.total("Leads Processed")) == (4, 10 + 4 + 5 + 2 + 1)
    assert flow.record("a")["fields"]["Leads Processed"] == 10, "Airtable keeps what it had"
    [letter] = row_letters(flow)
    assert letter.content == {"kept_as": keys.aside(flow.row("a"))}
    assert kind_of(flow, keys.aside(flow.row("a"))) == kind
    assert flow.seen() == {("unreadable", RUN, "a")}

    assert flow.verify(repair=True).left == []
    flow.settle()
    assert flow.verify(replay=True).findings == []
    assert (flow.total("Leads Processed", "a"), flow.total("Leads Processed")) == (14, 22)


def test_rows_that_no_event_came_for_are_mended_from_the_log(flow: Flow) -> None:
    put(flow.link, flow.row("a"), "list")
    put(flow.link, flow.row(None), "set")
    assert flow.seen() == {("unreadable", RUN, "a"), ("unreadable", RUN, None)}
    assert flow.verify(repair=True).left == []
    flow.settle()
    assert flow.verify(replay=True).findings == []
    assert flow.total("Leads Processed") == 16
    assert len(row_letters(flow)) == 2


def test_a_job_row_of_another_type_gets_its_totals_from_its_clients(flow: Flow) -> None:
    put(flow.link, flow.row(None))
    late(flow, "a", 4, "1")
    flow.settle()
    assert flow.total("Leads Processed") == 20
    assert flow.seen() == {("unreadable", RUN, None)}
    assert flow.verify(repair=True).left == []
    flow.settle()
    assert flow.verify(replay=True).findings == []


def test_a_row_that_changes_while_a_consumer_knows_it_is_read_again(flow: Flow) -> None:
    consumer = Consumer(flow.settings, flow.registry, flow.partition())
    late(flow, "a", 4, "1")
    consumer.turn()
    put(flow.link, flow.row("a"))
    late(flow, "a", 3, "2")
    with pytest.raises(StoreRefused, match=rf"WRONGTYPE {flow.row('a')}".replace("{", r"\{")):
        consumer.turn()
    assert flow.total("Leads Processed") == 20, "nothing was written"
    assert consumer.turn().drained
    assert (flow.total("Leads Processed", "a"), flow.total("Leads Processed")) == (3, 23)
    consumer.close()


def test_the_flush_sets_aside_a_dirty_row_of_another_type_and_writes_the_others(flow: Flow) -> None:
    late(flow, "a", 4, "1")
    late(flow, "b", 2, "2")
    flow.fold()
    put(flow.link, flow.row("a"))
    flow.flush()
    assert flow.record("b")["fields"]["Leads Processed"] == 7
    assert [letter.subject for letter in DeadLetters(flow.link, 4, flow.sandbox.base_id).find(Wanted(kind="row"))] == [f"{RUN}-a"]
    assert flow.seen() == {("unreadable", RUN, "a")}


@pytest.mark.parametrize("name", [*names(INDEXES), "clients"])
def test_an_index_of_another_type_begins_anew_and_is_filled_again(flow: Flow, name: str) -> None:
    key = index_key(flow, name)
    put(flow.link, key)
    late(flow, "a", 4, "1")
    late(flow, "d", 1, "2")
    with capture_logs() as lines:
        flow.settle()
    assert flow.total("Leads Processed") == 21
    [moved] = [line for line in lines if line["event"] == "a key of the wrong type moved aside"]
    assert (moved["key"], moved["found"], moved["kept_as"]) == (key, "string", keys.aside(key))
    assert flow.link.call("GET", keys.aside(key)) == b"a word"
    flow.verify(repair=True)
    flow.settle()
    assert flow.verify(replay=True).findings == []


@pytest.mark.parametrize("name", [*names(INDEXES), "clients"])
def test_verify_names_an_index_of_another_type_and_mends_it(flow: Flow, name: str) -> None:
    key = index_key(flow, name)
    put(flow.link, key, "list")
    report = flow.verify()
    assert [finding for finding in report.findings if finding.kind == "key"]
    assert all(line["event"] == "verify found" for line in look_at(flow))
    assert flow.verify(repair=True).left == []
    flow.settle()
    flow.verify(repair=True)
    flow.settle()
    assert flow.verify(replay=True).findings == []


def look_at(flow: Flow) -> list[dict[str, object]]:
    with capture_logs() as lines:
        look(flow.settings, flow.link, flow.registry)
    return [dict(line) for line in lines]


@pytest.mark.parametrize("name", ["state", "watermarks", "ids", "offset", "a watermark"])
def test_what_says_what_has_counted_stops_its_partition_alone_until_a_person_decides(flow: Flow, name: str) -> None:
    key = spoil_ledger(flow, name)
    late(flow, "a", 4, "1")
    more_of_publisher(flow)
    before = everything(flow.link)
    consumer = Consumer(flow.settings, flow.registry, flow.partition())
    with pytest.raises(StoreRefused) as refused:
        consumer.turn()
    assert key in str(refused.value)
    assert ("RENAME" in str(refused.value)) is (name != "a watermark")
    after = everything(flow.link)
    after.pop(keys.consume_lease(flow.partition()), None)
    assert after == before, "nothing is written"
    assert elsewhere_counts(flow)

    report = flow.verify(repair=True)
    if name in ("state", "offset"):
        assert [finding.what for finding in report.left if finding.kind == "key"] == [key]
        assert [line["what"] for line in look_at(flow) if line.get("kind") == "key"] == [key]
    mend_by_hand(flow, name, key)
    assert consumer.turn().drained
    assert flow.total("Leads Processed", "a") == 14
    consumer.close()


def test_a_log_of_another_type_stops_its_partition_alone(flow: Flow) -> None:
    put(flow.link, keys.log(flow.partition()))
    consumer = Consumer(flow.settings, flow.registry, flow.partition())
    with pytest.raises(StoreRefused, match="RENAME"):
        consumer.turn()
    consumer.close()
    assert elsewhere_counts(flow)


def spoil_ledger(flow: Flow, name: str) -> str:
    partition = flow.partition()
    if name == "ids":
        late(flow, "a", 0, "0")
        flow.fold()
        (key,) = (key.decode() for key in flow.link.call("KEYS", f"{keys.ids(partition, 0)[:-1]}*"))
        put(flow.link, key)
        return str(key)
    if name == "offset":
        flow.link.call("HSET", keys.state(partition), "offset", "yesterday")
        return keys.state(partition)
    if name == "a watermark":
        for publisher in flow.link.call("HKEYS", keys.watermarks(partition)):
            flow.link.call("HSET", keys.watermarks(partition), publisher, "many")
        return keys.watermarks(partition)
    key = str(getattr(keys, name)(partition))
    put(flow.link, key)
    return key


def more_of_publisher(flow: Flow) -> None:
    """A repeat of the publisher's first batch, so that its watermark is asked for."""
    log = keys.log(flow.partition())
    [[_, fields]] = flow.link.call("XRANGE", log, "-", "+", "COUNT", 1)
    flow.link.call("XADD", log, "*", *fields)


def mend_by_hand(flow: Flow, name: str, key: str) -> None:
    """As the error says; where it says to put right a field, that the publisher's first nine events have counted, and more."""
    if name == "a watermark":
        for publisher in flow.link.call("HKEYS", key):
            flow.link.call("HSET", key, publisher, 1_000)
    elif name == "watermarks":
        # Accepted: a repeat would count twice. There is none but the one that this test has sent.
        flow.link.call(
            "XDEL", keys.log(flow.partition()), flow.link.call("XREVRANGE", keys.log(flow.partition()), "+", "-", "COUNT", 1)[0][0]
        )
        flow.link.call("RENAME", key, keys.aside(key))
    else:
        flow.link.call("RENAME", key, keys.aside(key))


def everything(link: Link) -> dict[str, bytes]:
    return {key.decode(): link.call("DUMP", key) for key in link.call("KEYS", "*")}


def test_readers_and_the_periodic_work_pass_over_keys_of_another_type(flow: Flow) -> None:
    partition = flow.partition()
    for function in [*INDEXES, *LEDGERS]:
        put(flow.link, function(partition))
    put(flow.link, keys.clients(partition, RUN))
    put(flow.link, flow.row("b"))
    assert elsewhere_counts(flow)
    flow.link.call("HSET", keys.state(flow.partition(ELSEWHERE)), "gaps", "many")
    assert [job.run for job in flow.reader.latest(10)] == [ELSEWHERE]
    assert (flow.reader.job(RUN) is not None, flow.reader.clients(RUN)) == (True, [])
    assert flow.reader.counters()["events"] == 1
    assert (flow.reader.dirty(), flow.reader.backlog(), flow.reader.dead()) == (2, 0, 0)
    letters = DeadLetters(flow.link, 4, None)
    assert (list(letters.find(Wanted())), letters.bound_dropped()) == ([], 0)
    health = HealthReader(flow.settings)
    assert health.read().ok
    health.close()
    assert backlog(flow.link, 4) == {}
    assert relieve(flow.link, flow.settings) == 0
    assert {line["what"] for line in look_at(flow) if line.get("kind") == "key"} >= {function(partition) for function in LEDGERS}
    assert flow.verify(repair=True).left != []
    trim_all(flow.link, flow.settings)
    assert sweep(flow.link, flow.settings) == 0


def test_the_flush_and_the_sweep_let_their_index_begin_anew(flow: Flow) -> None:
    put(flow.link, keys.dirty(flow.partition()))
    put(flow.link, keys.open_rows(flow.partition()))
    late(flow, "x", 1, "1")
    dirty.mark(flow.link, [RowRef(flow.partition(QUIET), QUIET)])
    flow.at_rest()
    assert flush(flow.settings, flow.link, flow.registry, lambda: False, 20).waiting == 0
    assert sweep(flow.link, flow.settings) == 0
    assert {kind_of(flow, key(flow.partition())) for key in (keys.dirty, keys.open_rows)} == {"none"}
    put(flow.link, keys.dirty(flow.partition()))
    dirty.mark(flow.link, [RowRef(flow.partition(), RUN)])
    assert flow.link.call("ZCARD", keys.dirty(flow.partition())) == 1


def test_an_open_row_whose_id_is_none_does_not_stop_the_sweep(flow: Flow) -> None:
    flow.link.call("ZADD", keys.open_rows(flow.partition()), 0, b"\xff no run", 0, " 250930-141522-a ")
    assert sweep(flow.link, flow.settings) == 0


def test_dead_letters_that_find_no_place_and_counters_that_are_no_numbers_stop_nothing(flow: Flow) -> None:
    state, dead = keys.state(flow.partition()), keys.dead(flow.partition())
    most = 2**64 - 1
    flow.link.call("XADD", dead, f"{most}-{most}", "kind", "event")
    flow.link.call("HSET", state, "events", "many", "dead_value", 2**63 - 1, "dead_dropped", "x")
    bad = {"metrics": {"leads_processed": "many", "posts_processed": 1}}
    tell(flow, RUN, bad)
    flow.fold()
    assert flow.total("Posts Processed", "a") == 1
    counters = flow.reader.counters()
    assert (counters["events"], counters["dead_value"]) == (1, 1)
