"""The spool with a real server: nothing lost and nothing doubled, whoever dies. What counts is what a worker folds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract import keys
from contract.link import Link
from contract.settings import Settings
from embedded import EmbeddedValkey, free_port
from producers.publisher import Publisher
from producers.spool.folder import folders
from tests.building import REGISTRY
from worker.consume import Consumer
from worker.rows import ClientRow
from worker.store.reader import Reader

RUN = "250930-141522"
ROOT = Path(__file__).parents[2]
NOWHERE = "redis://127.0.0.1:1/0"


def eventually(holds: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        threading.Event().wait(0.02)


def emit(publisher: Publisher, number: int, client: str = "a", **more: Any) -> bool:
    return publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": client, "metrics": {"errors": number}}, **more)


def folded(settings: Settings, client: str = "a", run: str = RUN) -> int:
    """The sum that a worker has counted, after it has folded what there is."""
    consumer = Consumer(settings, REGISTRY, keys.partition_of(run, settings.partitions))
    consumer.turn()
    consumer.close()
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    row = next((row for row in Reader(link, settings.partitions, REGISTRY).clients(run) if row.client == client), None)
    link.close()
    assert row is None or isinstance(row, ClientRow)
    return 0 if row is None else int(row.metrics.get("Errors", 0))


def sequences(url: str, run: str = RUN) -> dict[str, list[int]]:
    """The sequences in the log, by source."""
    import json

    link = Link(url, name="test")
    link.open()
    found: dict[str, list[int]] = {}
    for _, fields in link.call("XRANGE", keys.log(keys.partition_of(run, 8)), "-", "+"):
        for event in json.loads(fields[1]):
            found.setdefault(event["source"], []).append(int(event["sequence"]))
    link.close()
    return found


def in_order_but_for_repeats(numbers: list[int]) -> bool:
    """Whether a watermark alone counts each once: none comes for the first time behind a higher one."""
    highest = 0
    for number in numbers:
        if number > highest + 1:
            return False
        highest = max(highest, number)
    return True


def spooled_folders(settings: Settings) -> list[Path]:
    return list(folders(settings.spool_dir))


def start_child(settings: Settings, program: str, **environment: str) -> subprocess.Popen[str]:
    """A process that emits: `emit(number)` and `publisher` are there, and it has the same spool."""
    head = """
        import sys, os
        from producers.default import publisher
        publisher = publisher()
        def emit(number, **more):
            data = {"run_id": "250930-141522", "client_id": "a", "metrics": {"errors": number}}
            return publisher.emit("client.metrics.updated", data, **more)
    """
    own = {
        "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
        "RUNTALLY_SPOOL_DIR": str(settings.spool_dir),
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(program)],
        env={**os.environ, **own, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
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
            eventually(lambda: not publisher.crowded)
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


def test_what_exit_could_not_deliver_the_next_process_delivers_with_its_identity(settings: Settings, make_settings: Any) -> None:
    away = Publisher(make_settings(redis_url=NOWHERE, drain_timeout_s=0))
    for _ in range(1_234):
        emit(away, 1)
    nonce = away.nonce
    assert away.close() == 0
    assert (away.left, away.counters["spooled"]) == (1_234, 1_234)
    retarget(settings)
    other = Publisher(settings)
    emit(other, 1)
    eventually(lambda: other.counters.get("adopted") == 1_234)
    assert other.flush() == 0
    assert other.counters["published"] == 1
    eventually(lambda: spooled_folders(settings) == [])
    assert sequences(settings.redis_url.get_secret_value())[f"/runtally/{nonce}"] == list(range(1, 1_235))
    assert folded(settings) == 1_235
    other.close()


def retarget(settings: Settings) -> None:
    """As if the folders had been written for the Redis of these settings."""
    import json

    from producers.spool.folder import ABOUT, about, target_of

    for folder in folders(settings.spool_dir):
        (folder / ABOUT).write_text(json.dumps(about(target_of(settings.redis_url.get_secret_value()))))


def test_what_is_meant_for_another_redis_is_not_adopted(settings: Settings, make_settings: Any) -> None:
    away = Publisher(make_settings(redis_url=NOWHERE, drain_timeout_s=0))
    emit(away, 1)
    assert away.close() == 0
    other = Publisher(settings)
    emit(other, 1)
    assert other.flush() == 0
    assert not other.life.outbox.adopt(4)
    other.close()
    assert len(spooled_folders(settings)) == 1


DURABLE = """
    number = 0
    while True:
        number += 1
        if emit(1, durable=True):
            sys.stdout.write("x"); sys.stdout.flush()
"""


@pytest.mark.parametrize("seed", range(4))
def test_durable_events_survive_kill_9_at_any_moment_and_count_once(settings: Settings, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311  # moments to kill at
    accepted = 0
    for _ in range(3):
        child = start_child(settings, DURABLE)
        assert child.stdout is not None
        wanted = rng.randrange(1, 400)
        told = child.stdout.read(wanted)
        child.kill()
        accepted += len(told) + len(child.stdout.read())
        child.wait()
    rescuer = Publisher(settings)
    emit(rescuer, 0)
    eventually(lambda: not spooled_folders(settings))
    assert rescuer.flush() == 0
    counted = folded(settings)
    # An emit that did not return may be counted or not: at most one a process.
    assert accepted <= counted <= accepted + 3
    assert all(in_order_but_for_repeats(found) for found in sequences(settings.redis_url.get_secret_value()).values())
    rescuer.close()


def test_a_frozen_publisher_is_not_adopted_a_killed_one_is(settings: Settings) -> None:
    child = start_child(
        settings,
        "print(emit(1, durable=True), flush=True)\nprint(emit(1, durable=True), flush=True)\nimport signal\nsignal.pause()",
        RUNTALLY_REDIS_URL=NOWHERE,
    )
    assert child.stdout is not None
    assert [child.stdout.readline(), child.stdout.readline()] == ["True\n", "True\n"]
    child.send_signal(signal.SIGSTOP)
    retarget(settings)
    other = Publisher(settings)
    emit(other, 1)
    assert other.flush() == 0
    with other.life.outbox.lock:
        assert other.life.outbox.adopt(4) == 0
    child.kill()
    child.wait()
    with other.life.outbox.lock:
        assert other.life.outbox.adopt(4) == 1
    emit(other, 1)
    eventually(lambda: other.counters.get("adopted") == 2)
    assert other.flush() == 0
    assert folded(settings) == 4
    other.close()


def test_of_two_adopters_one_gets_the_folder_and_the_other_goes_on_when_it_dies(settings: Settings, make_settings: Any) -> None:
    away = Publisher(make_settings(redis_url=NOWHERE, drain_timeout_s=0))
    for _ in range(10):
        emit(away, 1)
    away.close()
    retarget(settings)
    first, second = Publisher(settings), Publisher(settings)
    assert first.life.outbox.adopt(4) == 1
    assert second.life.outbox.adopt(4) == 0
    first.close()
    assert second.life.outbox.adopt(4) == 1
    emit(second, 1)
    eventually(lambda: second.counters.get("adopted") == 10)
    assert second.flush() == 0
    assert folded(settings) == 11
    second.close()


def test_a_forked_child_holds_no_lock_of_its_parent_and_leaves_its_files_alone(settings: Settings, make_settings: Any) -> None:
    program = """
        assert emit(1, durable=True)
        pid = os.fork()
        if pid == 0:
            assert emit(10, durable=True)
            print("child", publisher.nonce, flush=True)
            import signal
            signal.pause()
        print("parent", publisher.nonce, pid, flush=True)
        assert emit(1, durable=True)
        print("again", flush=True)
        import signal
        signal.pause()
    """
    parent = start_child(settings, program, RUNTALLY_REDIS_URL=NOWHERE)
    assert parent.stdout is not None
    words = [parent.stdout.readline().split() for _ in range(3)]
    nonces = {line[0]: line[1] for line in words if len(line) > 1}
    child_pid = next(int(line[2]) for line in words if line[0] == "parent")
    parent.kill()
    parent.wait()
    try:
        retarget(settings)
        other = Publisher(settings)
        emit(other, 1)
        eventually(lambda: other.counters.get("adopted") == 2)
        assert [path.name for path in spooled_folders(settings)] == [nonces["child"]]
        assert other.flush() == 0
        assert folded(settings) == 3
    finally:
        os.kill(child_pid, signal.SIGKILL)
    # Nobody rings here: the next look for the dead is 5 s away.
    eventually(lambda: other.counters.get("adopted") == 3)
    assert other.flush() == 0
    assert folded(settings) == 13
    other.close()
    assert spooled_folders(settings) == []


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


def test_a_full_spool_is_counted_and_durable_says_so(make_settings: Any, settings: Settings) -> None:
    publisher = Publisher(make_settings(redis_url=NOWHERE, spool_bytes=400_000, buffer_events=1_000, drain_timeout_s=0))
    accepted = 0
    while not publisher.counters.get("dropped_spool_full"):
        accepted += emit(publisher, 1, id=None)
        eventually(lambda: not publisher.crowded or publisher.life.outbox.refusal)
    assert not emit(publisher, 1, durable=True)
    lost = publisher.close()
    assert publisher.left + lost == accepted
    retarget(settings)
    other = Publisher(settings)
    emit(other, 0)
    eventually(lambda: other.counters.get("adopted") == publisher.left)
    assert folded(settings) == publisher.left
    other.close()


def test_durable_with_a_full_disk_still_travels(settings: Settings, make_settings: Any) -> None:
    settings.spool_dir.mkdir(parents=True)
    (settings.spool_dir / "ballast").write_bytes(bytes(65_536))
    publisher = Publisher(make_settings(redis_url=settings.redis_url.get_secret_value(), spool_bytes=65_536, durable=True))
    assert not emit(publisher, 1)
    assert publisher.counters["not_durable"] == 1
    assert publisher.flush() == 0
    (settings.spool_dir / "ballast").unlink()
    eventually(lambda: emit(publisher, 0))
    assert publisher.flush() == 0
    assert folded(settings) == 1
    publisher.close()


def test_durable_emits_of_many_threads_share_their_fsyncs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = Publisher(settings)
    assert emit(publisher, 1, durable=True)
    synced = 0
    fdatasync = os.fdatasync

    def slow_sync(fd: int) -> None:
        nonlocal synced
        synced += 1
        threading.Event().wait(0.01)
        fdatasync(fd)

    monkeypatch.setattr(os, "fdatasync", slow_sync)
    threads = [threading.Thread(target=lambda: [emit(publisher, 1, durable=True) for _ in range(10)]) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert synced < 50
    assert publisher.flush() == 0
    assert folded(settings) == 101
    publisher.close()
    assert spooled_folders(settings) == []


def test_bad_durable_events_say_so(settings: Settings) -> None:
    publisher = Publisher(settings)
    cycle: dict[str, Any] = {}
    cycle["again"] = cycle
    assert not publisher.emit("client.metrics.updated", {"run_id": f"{RUN}-a", "metrics": cycle}, durable=True)
    assert publisher.counters["dropped_unencodable"] == 1
    assert emit(publisher, 1, durable=True)
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


def test_sigterm_amid_durable_events_stores_all_of_them(settings: Settings) -> None:
    for _ in range(3):
        child = start_child(settings, DURABLE, RUNTALLY_REDIS_URL=NOWHERE, RUNTALLY_DRAIN_TIMEOUT_S="0")
        assert child.stdout is not None
        told = child.stdout.read(100)
        child.terminate()
        told += child.stdout.read()
        assert child.wait(20) == -signal.SIGTERM
        retarget(settings)
        rescuer = Publisher(settings)
        emit(rescuer, 0)
        eventually(lambda: not spooled_folders(settings))
        rescuer.close()
        counted = folded(settings)
        assert len(told) <= counted <= len(told) + 1
        link = Link(settings.redis_url.get_secret_value(), name="test")
        link.open()
        link.call("FLUSHALL")
        link.close()


def test_a_full_disk_is_survived_and_drained(
    settings: Settings, make_settings: Any, tmp_path: Path, durable_valkey: EmbeddedValkey
) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"NOT TESTED: a full disk. Mounting a small tmpfs needs root: {mounted.stderr.decode().strip()}")
    try:
        own = make_settings(redis_url=durable_valkey.url, spool_dir=place, buffer_events=1_000)
        publisher = Publisher(own)
        emit(publisher, 1)
        assert publisher.flush(20) == 0
        accepted = folded(own)
        durable_valkey.kill()
        while not publisher.counters.get("dropped_spool_full"):
            accepted += emit(publisher, 1)
            eventually(lambda: not publisher.crowded or publisher.life.outbox.refusal)
        assert not emit(publisher, 1, durable=True)
        assert publisher.counters["spooled"] > 100
        durable_valkey.restart()
        assert publisher.flush(60) == 0
        assert emit(publisher, 1, durable=True)
        assert publisher.close(20) == 0
        assert spooled_folders(own) == []
        assert folded(own) == accepted + 1
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S607
