"""Redis away, full or behind: events go through the spool, in order, and count once."""

from __future__ import annotations

from typing import Any

from contract import keys
from contract.link import Link
from contract.settings import Settings
from embedded import EmbeddedValkey, free_port
from producers.publisher import Publisher

from .emitting import (
    NOWHERE,
    RUN,
    emit,
    eventually,
    folded,
    in_order_but_for_repeats,
    sequences,
    spooled_folders,
)


def test_redis_away_under_load_events_go_through_the_spool_in_order(durable_valkey: EmbeddedValkey, make_settings: Any) -> None:
    settings = make_settings(redis_url=durable_valkey.url, delivery="fsynced", buffer_events=4_000)
    publisher = Publisher(settings)
    emit(publisher, 1)
    assert publisher.flush(20) == 0
    durable_valkey.kill()
    number = 1
    for number in range(2, 20_001):
        assert emit(publisher, 1)
        if number % 100 == 0:
            eventually(lambda: not publisher.buffer.crowded)
    assert publisher.counters["spooled"] > 5_000
    assert len(publisher.buffer) + publisher.life.outbox._own[keys.partition_of(RUN, 8)].held_events < 60_000
    durable_valkey.restart()
    assert publisher.flush(60) == 0
    assert publisher.counters["published"] == number
    assert not publisher.life.outbox.spilled
    (found,) = sequences(durable_valkey.url).values()
    assert in_order_but_for_repeats(found)
    assert folded(settings) == number
    emit(publisher, 1)
    assert publisher.flush(20) == 0
    assert publisher.close() == 0
    assert spooled_folders(settings) == []


def test_a_short_absence_spools_after_a_second_also_what_is_little(make_settings: Any) -> None:
    publisher = Publisher(make_settings(redis_url=NOWHERE, drain_timeout_s=0))
    emit(publisher, 1)
    eventually(lambda: publisher.counters.get("spooled") == 1)
    assert publisher.close() == 0
    assert publisher.left == 1


def test_a_redis_that_refuses_is_spooled_for_and_drained(valkey: EmbeddedValkey, make_settings: Any, redis_url: str) -> None:
    settings = make_settings(redis_url=redis_url)
    publisher = Publisher(settings)
    emit(publisher, 1)
    assert publisher.flush() == 0
    link = Link(redis_url, name="test")
    link.open()
    link.call("CONFIG", "SET", "maxmemory", "1")
    try:
        for _ in range(500):
            emit(publisher, 1)
        eventually(lambda: publisher.counters.get("spooled") == 500)
    finally:
        link.call("CONFIG", "SET", "maxmemory", "0")
        link.close()
    assert publisher.flush(20) == 0
    assert folded(settings) == 501
    publisher.close()


def test_a_log_over_its_bound_is_spooled_for_until_a_worker_has_folded_it(settings: Settings, make_settings: Any) -> None:
    bounded = make_settings(redis_url=settings.redis_url.get_secret_value(), log_max_entries=20, linger_ms=0)
    publisher = Publisher(bounded)
    number = 0

    def one_more() -> bool:
        nonlocal number
        number += 1
        emit(publisher, 1)
        return bool(publisher.counters.get("spooled"))

    eventually(one_more)
    other_run = next(f"250930-1415{n:02d}" for n in range(60) if keys.partition_of(f"250930-1415{n:02d}", 8) != keys.partition_of(RUN, 8))
    publisher.emit("client.metrics.updated", {"run_id": other_run, "client_id": "a", "metrics": {"errors": 7}})
    eventually(lambda: sequences(bounded.redis_url.get_secret_value(), other_run))
    length = len(next(iter(sequences(bounded.redis_url.get_secret_value()).values())))
    assert length < number
    folded(bounded)
    assert publisher.flush(20) == 0
    assert folded(bounded) == number
    assert folded(bounded, run=other_run) == 7
    publisher.close()


def test_replicated_waits_for_the_replica(make_settings: Any) -> None:
    with EmbeddedValkey(aof=False, extra=["repl-diskless-sync-delay 0"]) as master:
        settings = make_settings(redis_url=master.url, delivery="replicated", replicas=1)
        publisher = Publisher(settings)
        emit(publisher, 1)
        eventually(lambda: sequences(master.url))
        assert publisher.flush(0.1) == 1
        port = free_port()
        follows = [f"replicaof 127.0.0.1 {master.port}", f"masterauth {master.password}"]
        with EmbeddedValkey(aof=False, port=port, extra=follows) as replica:
            assert publisher.flush(30) == 0
            for _ in range(1_000):
                emit(publisher, 1)
            assert publisher.flush(30) == 0
            master.kill()
            (found,) = sequences(replica.url).values()
            assert set(found) == set(range(1, 1_002))
    publisher.close(0)
